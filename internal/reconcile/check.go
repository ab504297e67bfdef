package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// checkTime is how long one run of [Service.Check] goes on to take wallets.
const checkTime = 20 * time.Second

// Check compares wallets that were not compared for an hour, until none is left or its time is over,
// and keeps what it finds for the metric. It asks no provider and compares messages and payments of
// yesterday and today. Any number of processes may run it: each takes other wallets.
func (s *Service) Check(ctx context.Context) error {
	for ends := time.Now().Add(checkTime); time.Now().Before(ends); {
		now := s.now()
		ids, err := s.store.ClaimChecks(ctx, now, walletBatch)
		if err != nil {
			return fmt.Errorf("take wallets to compare: %w", err)
		}
		if len(ids) == 0 {
			return nil
		}
		if err := s.check(ctx, ids, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) check(ctx context.Context, ids []string, now time.Time) error {
	found, err := s.store.CompareRecent(ctx, ids, now)
	if err != nil {
		return err
	}
	o := Order{Window: Window{From: clock.Midnight(now).Add(-24 * time.Hour), To: clock.NextMidnight(now)}}
	sums := make(map[string]map[Kind]wallet.KRW, len(ids))
	for _, id := range ids {
		sums[id] = map[Kind]wallet.KRW{}
		o.WalletID = id
		var page Page // of the whole wallet: its findings are summed up and let go
		for mark := (&Mark{Wallet: id, Step: StepMessages}); mark != nil; {
			if mark, err = s.step(ctx, o, *mark, &page); err != nil {
				return err
			}
			for _, f := range page.Found {
				sums[id][f.Kind] += f.size()
			}
			page.Found = page.Found[:0]
		}
	}
	for _, f := range found {
		sums[f.WalletID][f.Kind] += f.size()
	}
	if err := s.store.KeepCheck(ctx, sums, now); err != nil {
		return fmt.Errorf("keep what was found: %w", err)
	}
	return nil
}

// size returns the difference without its sign.
func (f Finding) size() wallet.KRW {
	d := f.Difference()
	return max(d, -d)
}
