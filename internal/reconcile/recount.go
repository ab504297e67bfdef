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
		now, err := s.recount(ctx, c)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			page.Unasked++
			page.failed++
			continue
		}
		page.Asked++
		due := c.Price * wallet.KRW(now.Tally.Reached(c.People, c.Evident)) // evidence stands, whatever Kakao counts
		if due != c.Captured && now.Tally != c.Tally {
			found = append(found, Finding{WalletID: c.WalletID, Day: c.Day, Kind: Recount, Subject: c.ID, Want: due, Got: c.Captured, Correctable: true,
				Note: fmt.Sprintf("Kakao counts %d of %d people as reached, %d when it was settled", now.Tally.Delivered, c.People, c.Tally.Delivered)})
		}
	}
	return found, next, nil
}

// recount asks Kakao what became of a chunk.
func (s *Service) recount(ctx context.Context, c SentChunk) (broadcast.Settlement, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answer, err := s.events.Result(ctx, c.RestKey, c.TaskID)
	if err != nil {
		return broadcast.Settlement{}, err
	}
	now, complete := broadcast.Settle(answer, c.People, c.Recipients)
	if !complete {
		return now, fault.New(fault.Unavailable, "Kakao's count of chunk %s is not complete", c.ID)
	}
	return now, nil
}

func (s *Service) correctRecount(ctx context.Context, c Correction) (*wallet.Posting, error) {
	sent, err := s.store.SettledChunk(ctx, c.WalletID, c.Subject)
	if err != nil {
		return nil, err
	}
	now, err := s.recount(ctx, sent)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "Kakao cannot be asked about it; try again")
	}
	posted, _, err := s.store.CorrectChunk(ctx, c, &now)
	return posted, err
}
