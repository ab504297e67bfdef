package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
)

// seats tells the cards of a wallet as "role id".
func (b *till) seats(walletID string) []string {
	b.t.Helper()
	cards, err := b.WalletCards(b.t.Context(), walletID)
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, c := range cards {
		all = append(all, c.Role()+" "+c.ID)
	}
	return all
}

func TestCards_onAWallet(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 0)
		owing(t, s, "other", 0, "o1")
		newAccount(t, s, "stranger")
		for _, id := range []string{"a", "b", "c", "d"} {
			newCard(t, s, id, "acc_w", "", 0)
		}
		newCard(t, s, "s1", "stranger", "", 0)
		b := newTill(t, s, nil)
		ctx := t.Context()
		steps := []struct {
			name  string
			do    func() error
			code  string // of the error
			seats []string
		}{
			{"attach", func() error { return b.AttachCard(ctx, "w", "acc_w", "a") }, "", []string{"payment a"}},
			{"attach again", func() error { return b.AttachCard(ctx, "w", "acc_w", "a") }, "", []string{"payment a"}},
			{"a stranger's for oneself", func() error { return b.AttachCard(ctx, "w", "acc_w", "s1") }, "NOT_YOUR_CARD", []string{"payment a"}},
			{"a stranger's for him", func() error { return b.AttachCard(ctx, "w", "", "s1") }, "NOT_A_MEMBER", []string{"payment a"}},
			{"from another wallet", func() error { return b.AttachCard(ctx, "w", "", "o1") }, "CARD_ELSEWHERE", []string{"payment a"}},
			{"backup 1", func() error { return b.AttachCard(ctx, "w", "acc_w", "b") }, "", []string{"payment a", "backup_1 b"}},
			{"backup 2", func() error { return b.AttachCard(ctx, "w", "", "c") }, "", []string{"payment a", "backup_1 b", "backup_2 c"}},
			{"a fourth", func() error { return b.AttachCard(ctx, "w", "acc_w", "d") }, "WALLET_CARD_LIMIT", []string{"payment a", "backup_1 b", "backup_2 c"}},
			{"reorder", func() error { return b.OrderCards(ctx, "w", []string{"c", "a", "b"}) }, "", []string{"payment c", "backup_1 a", "backup_2 b"}},
			{"reorder without one", func() error { return b.OrderCards(ctx, "w", []string{"c", "a"}) }, "", []string{"payment c", "backup_1 a", "backup_2 b"}},
			{"reorder one twice", func() error { return b.OrderCards(ctx, "w", []string{"c", "a", "a"}) }, "", []string{"payment c", "backup_1 a", "backup_2 b"}},
			{"detach the payment card", func() error { return b.DetachCard(ctx, "w", "", "c") }, "", []string{"payment a", "backup_1 b"}},
			{"detach it again", func() error { return b.DetachCard(ctx, "w", "", "c") }, "", []string{"payment a", "backup_1 b"}},
			{"set the list", func() error { return b.SetCards(ctx, "w", "acc_w", []string{"d", "b"}) }, "", []string{"payment d", "backup_1 b"}},
			{"set one twice", func() error { return b.SetCards(ctx, "w", "acc_w", []string{"d", "d"}) }, "", []string{"payment d", "backup_1 b"}},
			{"set four", func() error { return b.SetCards(ctx, "w", "acc_w", []string{"a", "b", "c", "d"}) }, "WALLET_CARD_LIMIT", []string{"payment d", "backup_1 b"}},
			{"remove", func() error { return b.RemoveCard(ctx, "acc_w", "d") }, "", []string{"payment b"}},
			{"attach a removed one", func() error { return b.AttachCard(ctx, "w", "acc_w", "d") }, "", []string{"payment b"}},
		}
		fails := map[string]fault.Kind{"reorder without one": fault.Invalid, "reorder one twice": fault.Invalid, "detach it again": fault.NotFound,
			"set one twice": fault.Invalid, "attach a removed one": fault.NotFound}
		for _, step := range steps {
			err := step.do()
			kind, refused := fails[step.name]
			switch {
			case step.code != "" && fault.CodeOf(err) != step.code:
				t.Errorf("%s error = %v, want %s", step.name, err, step.code)
			case refused && fault.KindOf(err) != kind:
				t.Errorf("%s error = %v, want %v", step.name, err, kind)
			case step.code == "" && !refused && err != nil:
				t.Errorf("%s error = %v, want nil", step.name, err)
			}
			want(t, "cards after: "+step.name, b.seats("w"), step.seats...)
		}
		want(t, "switched off", b.g.off, "sid-of-d")
	})
}

func TestRemoveCard(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		owing(t, s, "w", 1500, "c1", "c2")
		b := newTill(t, s, nil)
		b.lost(true)
		b.run()
		if err := b.RemoveCard(t.Context(), "acc_w", "c1"); fault.CodeOf(err) != "CARD_CHARGING" {
			t.Errorf("RemoveCard() in the middle of a charge error = %v, want CARD_CHARGING", err)
		}
		if err := b.RemoveCard(t.Context(), "acc_other", "c2"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("RemoveCard() of another's error = %v, want NotFound", err)
		}
		b.pass(10 * time.Second)
		b.run()
		if err := b.RemoveCard(t.Context(), "acc_w", "c1"); err != nil {
			t.Errorf("RemoveCard() error = %v, want nil", err)
		}
		want(t, "cards", b.seats("w"), "payment c2")
		if sealed := texts(t, s, `SELECT id FROM card WHERE sid_sealed = $1`, []byte{}); len(sealed) != 1 {
			t.Errorf("cards without a key = %q, want c1", sealed)
		}
	})
}

// Ten cards in a list come by the time they were added.
func TestAccountCards_byTimeAdded(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		newAccount(t, s, "acc")
		var wanted []string
		for i := range 10 {
			id := fmt.Sprintf("c%d", 9-i)
			newCard(t, s, id, "acc", "", 0)
			exec(t, s, `UPDATE card SET added_at = $2 WHERE id = $1`, id, millis(t0.Add(time.Duration(i)*time.Minute)))
			wanted = append(wanted, id)
		}
		cards, err := newTill(t, s, nil).AccountCards(t.Context(), "acc")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range cards {
			got = append(got, c.ID)
		}
		want(t, "cards", got, wanted...)
	})
}

// A card list is shown in the last known state when the provider does not tell.
func TestWalletCards_providerAway(t *testing.T) {
	s := openTest(t, sqliteAddress(t))
	owing(t, s, "w", 0, "c1")
	b := newTill(t, s, nil)
	if err := s.SaveCardState(context.Background(), "c1", billing.CardDormant, t0); err != nil {
		t.Fatal(err)
	}
	b.g.statusIs = func(string) (billing.CardStatus, error) { return billing.CardStatus{}, failed(billing.NotSent, "") }
	cards, err := b.WalletCards(t.Context(), "w")
	if err != nil || len(cards) != 1 || cards[0].State != billing.CardDormant {
		t.Errorf("WalletCards() = %+v, %v, want c1 dormant", cards, err)
	}
	if _, err := b.WalletCards(t.Context(), "none"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("WalletCards() of no wallet error = %v, want NotFound", err)
	}
}

// Cards come on a wallet by the time they were added to their account, whichever comes first, until
// somebody orders them otherwise.
func TestCards_byTimeAdded(t *testing.T) {
	s := openTest(t, sqliteAddress(t))
	b := newTill(t, s, nil)
	owing(t, s, "w", 0)
	for i, card := range []string{"old", "middle", "new"} {
		newCard(t, s, card, "acc_w", "", 0)
		exec(t, s, `UPDATE card SET added_at = $2 WHERE id = $1`, card, millis(t0.Add(time.Duration(i)*time.Hour)))
	}
	slots := func() []string {
		return texts(t, s, `SELECT card_id FROM wallet_card WHERE wallet_id = 'w' ORDER BY slot`)
	}
	attach := func(card string, order ...string) {
		t.Helper()
		must(t, b.AttachCard(t.Context(), "w", "acc_w", card))
		want(t, "cards after "+card, slots(), order...)
	}
	attach("new", "new")
	attach("old", "old", "new")
	attach("middle", "old", "middle", "new")
	must(t, b.DetachCard(t.Context(), "w", "acc_w", "old"))
	must(t, b.OrderCards(t.Context(), "w", []string{"new", "middle"}))
	attach("old", "new", "middle", "old")
}
