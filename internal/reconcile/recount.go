package reconcile

import (
	"context"
	"fmt"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// compareRecount compares what Kakao says now of chunks with what was captured for them.
func (s *Service) compareRecount(ctx context.Context, o Order, m Mark, page *Page) (found []Finding, next *Mark, err error) {
	if !o.Recount {
		return nil, nil, nil
	}
	sent, next, err := s.store.SentChunks(ctx, m, o.Window)
	if err != nil {
		return nil, nil, err
	}
	for i, c := range sent {
		if i > 0 && page.full() {
			return found, &Mark{Wallet: m.Wallet, Step: m.Step, At: sent[i-1].SentAt.UnixMilli(), ID: sent[i-1].ID}, nil
		}
		if page.failed >= askFailures {
			page.Unasked++
			continue
		}
		tally, err := s.recount(ctx, c)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			page.Unasked++
			page.failed++
			continue
		}
		page.Asked++
		reached := max(tally.Delivered, min(c.Evident, c.People)) // evidence stands, whatever Kakao counts
		if due := c.Price * wallet.KRW(reached); due != c.Captured && tally != c.Tally {
			found = append(found, Finding{WalletID: c.WalletID, Day: c.Day, Kind: Recount, Subject: c.ID, Want: due, Got: c.Captured, Correctable: true,
				Note: fmt.Sprintf("Kakao counts %d of %d people as reached, %d when it was settled", tally.Delivered, c.People, c.Tally.Delivered)})
		}
	}
	return found, next, nil
}

// recount asks Kakao for the count of a chunk.
func (s *Service) recount(ctx context.Context, c SentChunk) (broadcast.Tally, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answer, err := s.events.Result(ctx, c.RestKey, c.TaskID)
	if err != nil {
		return broadcast.Tally{}, err
	}
	tally, complete := broadcast.TallyOf(answer, c.People)
	if !complete {
		return tally, fault.New(fault.Unavailable, "Kakao's count of chunk %s is not complete", c.ID)
	}
	return tally, nil
}

func (s *Service) correctRecount(ctx context.Context, c Correction) (*wallet.Posting, error) {
	sent, err := s.store.SettledChunk(ctx, c.WalletID, c.Subject)
	if err != nil {
		return nil, err
	}
	tally, err := s.recount(ctx, sent)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "Kakao cannot be asked about it; try again")
	}
	posted, _, err := s.store.CorrectChunk(ctx, c, &tally)
	return posted, err
}
