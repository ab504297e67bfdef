package billing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

const (
	tableCard    = "card"    // what a sid is sealed for
	tableAttempt = "attempt" // what a pg_token is sealed for
)

// CardState says whether a card can be charged. The names are stored.
type CardState string

// The states of a card.
const (
	CardUsable  CardState = "usable"
	CardDormant CardState = "dormant" // 휴면: fails until its owner revives it
	CardDead    CardState = "dead"    // switched off at the provider
)

// Card is a registered card (자동결제 카드) of an account.
type Card struct {
	ID           string
	AccountID    string
	Masked       string // "5409-12**", or empty when it is no card
	Issuer       string // "신한카드"
	State        CardState
	DormantSince time.Time // when it was found dormant; zero when it is not
	AddedAt      time.Time
	WalletID     string // empty while it sits on no wallet
	Slot         int    // 1 is the payment card, 2 and 3 are the backups; 0 on no wallet
	PayerID      string // partner_user_id with which it was registered
	SealedSID    []byte // sealed for table card
}

// Role returns what a card on a wallet is for: payment, backup_1 or backup_2; nothing for a card
// on no wallet.
func (c Card) Role() string {
	switch c.Slot {
	case 1:
		return "payment" // 결제 카드
	case 2:
		return "backup_1" // 결제 실패 예비카드
	case 3:
		return "backup_2"
	}
	return ""
}

// Why cards are refused.
var (
	ErrAccountFull  = fault.Coded(fault.Refused, "CARD_LIMIT", "an account registers at most %d cards; remove one first", MaxAccountCards)
	ErrWalletFull   = fault.Coded(fault.Refused, "WALLET_CARD_LIMIT", "a wallet has at most one payment card and two backups; take one off first")
	ErrElsewhere    = fault.Coded(fault.Conflict, "CARD_ELSEWHERE", "the card sits on another wallet; take it off there first")
	ErrOthersCard   = fault.Coded(fault.Forbidden, "NOT_YOUR_CARD", "only the master of the wallet takes cards of others off it")
	ErrForeignCard  = fault.Coded(fault.Forbidden, "NOT_YOUR_CARD", "only the account that registered the card may put it on a wallet")
	ErrNotMember    = fault.Coded(fault.Refused, "NOT_A_MEMBER", "the account that registered the card is not a member of the wallet")
	ErrCardCharging = fault.Coded(fault.Conflict, "CARD_CHARGING", "a payment with the card is under way; try again when it is finished")
)

// CardStore keeps cards and which wallet they sit on.
type CardStore interface {
	// Card reads a card that was not removed, NotFound when there is none.
	Card(ctx context.Context, id string) (Card, error)
	// AccountCards lists the cards of an account by time added.
	AccountCards(ctx context.Context, accountID string) ([]Card, error)
	// WalletCards lists the cards of a wallet by slot. It is NotFound when there is no wallet.
	WalletCards(ctx context.Context, walletID string) ([]Card, error)
	// ChangeCards puts the cards that change returns, by slot, in the place of those it is given.
	// change may be called more than once. A card that comes on must be of a master or worker of the
	// wallet, and sit on no other wallet. Unless accountID is empty, it must also be his, and he takes
	// cards of others off only as the wallet's master. An unpaid wallet that gets a card is due at
	// once.
	ChangeCards(ctx context.Context, walletID, accountID string, now time.Time, change func(ids []string) ([]string, error)) error
	// RemoveCard forgets a card and its key, and takes it off its wallet. It is a Conflict while
	// an attempt on it is open.
	RemoveCard(ctx context.Context, cardID string, now time.Time) error
	// CardBusy reports whether an attempt on the card is open.
	CardBusy(ctx context.Context, cardID string) (bool, error)
	// SaveCardState writes what the provider says of a card.
	SaveCardState(ctx context.Context, cardID string, state CardState, now time.Time) error
}

// statusLimit bounds asking for the state of cards that somebody looks at.
const statusLimit = 3 * time.Second

// AccountCards lists the cards of an account by time added.
func (s *Service) AccountCards(ctx context.Context, accountID string) ([]Card, error) {
	cards, err := s.store.AccountCards(ctx, accountID)
	return cards, wrap(err, "list the cards of account %s", accountID)
}

// WalletCards lists the cards of a wallet by slot, in the state that the provider tells now; the
// last known state of a card that the provider does not tell in time.
func (s *Service) WalletCards(ctx context.Context, walletID string) ([]Card, error) {
	cards, err := s.store.WalletCards(ctx, walletID)
	if err != nil {
		return nil, wrap(err, "list the cards of wallet %s", walletID)
	}
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	var wait sync.WaitGroup
	for i := range cards {
		wait.Go(func() { s.refresh(ctx, &cards[i]) })
	}
	wait.Wait()
	return cards, nil
}

// Card returns a card in the state that the provider tells now, or the last known one when it does
// not tell in time. It is NotFound for a card that was removed.
func (s *Service) Card(ctx context.Context, id string) (Card, error) {
	c, err := s.store.Card(ctx, id)
	if err != nil {
		return c, wrap(err, "read card %s", id)
	}
	ctx, cancel := context.WithTimeout(ctx, statusLimit)
	defer cancel()
	s.refresh(ctx, &c)
	return c, nil
}

// refresh asks for the state of a card and leaves it as it was when that cannot be had.
func (s *Service) refresh(ctx context.Context, c *Card) {
	sid, err := s.sealer.Open(c.SealedSID, tableCard, c.ID)
	if err != nil {
		return
	}
	state := c.State
	switch status, err := s.gateway.CardStatus(ctx, string(sid)); {
	case err == nil:
		state = status.State()
	case asGateway(err).Class == CardGone:
		state = CardDead
	}
	if state == c.State || s.saveState(ctx, c.ID, c.State, state) != nil {
		return
	}
	if fresh, err := s.store.Card(ctx, c.ID); err == nil {
		c.State, c.DormantSince = fresh.State, fresh.DormantSince
	}
}

// AttachCard puts a card on a wallet. Cards are asked in the order in which they were added to their
// accounts, the payment card first, then its backups; once somebody has put them in another order, a
// card comes last. The card must be of a master or worker of the wallet, and of accountID unless that is empty. It fails with
// [ErrWalletFull], [ErrElsewhere], [ErrForeignCard] or [ErrNotMember]. Attached again the card
// stays where it is. An unpaid wallet is charged at once.
func (s *Service) AttachCard(ctx context.Context, walletID, accountID, cardID string) error {
	err := s.store.ChangeCards(ctx, walletID, accountID, s.now(), func(ids []string) ([]string, error) {
		if slices.Contains(ids, cardID) {
			return ids, nil
		}
		before, err := s.byTimeAdded(ctx, ids)
		if err != nil {
			return nil, err
		}
		all := append(slices.Clone(ids), cardID)
		if slices.Equal(before, ids) {
			if all, err = s.byTimeAdded(ctx, all); err != nil {
				return nil, err
			}
		}
		return within(all)
	})
	return wrap(err, "attach card %s to wallet %s", cardID, walletID)
}

// SetCards makes a list the cards of a wallet, the payment card first, then its backups: it adds,
// takes off and reorders. Who may add which card is as with [Service.AttachCard]; cards of others
// are taken off by the wallet's master only ([ErrOthersCard]), unless accountID is empty. A card
// named twice is Invalid.
func (s *Service) SetCards(ctx context.Context, walletID, accountID string, cardIDs []string) error {
	for i, id := range cardIDs {
		if slices.Contains(cardIDs[:i], id) {
			return fault.Field(fmt.Sprintf("cards[%d]", i), "names a card twice")
		}
	}
	err := s.store.ChangeCards(ctx, walletID, accountID, s.now(), func([]string) ([]string, error) { return within(cardIDs) })
	return wrap(err, "set the cards of wallet %s", walletID)
}

// DetachCard takes a card off a wallet; the cards behind it move up. A charge that asks it now
// ends on it. A card that is not on the wallet is NotFound; another's than accountID's, unless that
// is empty, fails with [ErrOthersCard] except for the wallet's master.
func (s *Service) DetachCard(ctx context.Context, walletID, accountID, cardID string) error {
	err := s.store.ChangeCards(ctx, walletID, accountID, s.now(), func(ids []string) ([]string, error) {
		i := slices.Index(ids, cardID)
		if i < 0 {
			return nil, fault.New(fault.NotFound, "there is no card %q on the wallet", cardID)
		}
		return slices.Delete(slices.Clone(ids), i, i+1), nil
	})
	return wrap(err, "detach card %s from wallet %s", cardID, walletID)
}

// OrderCards puts the cards of a wallet into the order of their use. It is Invalid unless every
// card of the wallet is named once.
func (s *Service) OrderCards(ctx context.Context, walletID string, cardIDs []string) error {
	err := s.store.ChangeCards(ctx, walletID, "", s.now(), func(ids []string) ([]string, error) {
		if !slices.Equal(slices.Sorted(slices.Values(ids)), slices.Sorted(slices.Values(cardIDs))) {
			return nil, fault.Field("cards", "must name every card of the wallet once")
		}
		return cardIDs, nil
	})
	return wrap(err, "order the cards of wallet %s", walletID)
}

// byTimeAdded returns cards in the order in which they were added to their accounts.
func (s *Service) byTimeAdded(ctx context.Context, ids []string) ([]string, error) {
	added := make(map[string]time.Time, len(ids))
	for _, id := range ids {
		c, err := s.store.Card(ctx, id)
		if err != nil {
			return nil, err
		}
		added[id] = c.AddedAt
	}
	return slices.SortedFunc(slices.Values(ids), func(a, b string) int {
		return cmp.Or(added[a].Compare(added[b]), cmp.Compare(a, b))
	}), nil
}

func within(ids []string) ([]string, error) {
	if len(ids) > MaxWalletCards {
		return nil, ErrWalletFull
	}
	return ids, nil
}

// RemoveCard switches a card off at the provider and forgets it. It belongs to accountID, unless
// that is empty; another's card is NotFound. It fails with [ErrCardCharging] while a payment with
// it is under way, and is Unavailable, with the card unchanged, when the provider does not answer.
func (s *Service) RemoveCard(ctx context.Context, accountID, cardID string) error {
	card, err := s.store.Card(ctx, cardID)
	if err != nil {
		return wrap(err, "remove card %s", cardID)
	}
	if accountID != "" && card.AccountID != accountID {
		return fault.New(fault.NotFound, "there is no card %q", cardID)
	}
	busy, err := s.store.CardBusy(ctx, cardID)
	if err != nil {
		return wrap(err, "remove card %s", cardID)
	}
	if busy {
		return ErrCardCharging
	}
	sid, err := s.sealer.Open(card.SealedSID, tableCard, cardID)
	if err != nil {
		return wrap(err, "remove card %s", cardID)
	}
	if err := s.deactivate(ctx, string(sid)); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the card gateway did not switch the card off; try again")
	}
	return wrap(s.store.RemoveCard(ctx, cardID, s.now()), "remove card %s", cardID)
}

// deactivate switches a card off; one that is off already is.
func (s *Service) deactivate(ctx context.Context, sid string) error {
	ctx, cancel := s.asked(ctx)
	defer cancel()
	err := s.gateway.Deactivate(ctx, sid)
	if err != nil && asGateway(err).Class == CardGone {
		return nil
	}
	return err
}
