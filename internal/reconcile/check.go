package reconcile

import (
	"context"
	"errors"
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

// check compares wallets and keeps what it finds of each as soon as it is compared: one that fails, or
// takes too long, keeps no other from being compared.
func (s *Service) check(ctx context.Context, ids []string, now time.Time) error {
	found, err := s.store.CompareRecent(ctx, ids, now)
	if err != nil {
		return err
	}
	sums := make(map[string]map[Kind]wallet.KRW, len(ids))
	for _, id := range ids {
		sums[id] = map[Kind]wallet.KRW{}
	}
	for _, f := range found {
		sums[f.WalletID][f.Kind] += f.size()
	}
	var failed []error
	for _, id := range ids {
		err := s.sumUp(ctx, id, now, sums[id])
		if err == nil {
			err = s.store.KeepCheck(ctx, id, sums[id], now)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// sumUp adds the sizes of what differs in a wallet beside its balances: its findings are summed up and
// let go.
func (s *Service) sumUp(ctx context.Context, walletID string, now time.Time, sums map[Kind]wallet.KRW) (err error) {
	o := Order{WalletID: walletID, Window: Window{From: clock.Midnight(now).Add(-24 * time.Hour), To: clock.NextMidnight(now)}}
	var page Page
	for mark := (&Mark{Wallet: walletID, Step: stepMessages}); mark != nil; {
		if mark, err = s.step(ctx, o, *mark, &page); err != nil {
			return err
		}
		for _, f := range page.Found {
			sums[f.Kind] += f.size()
		}
		page.Found = page.Found[:0]
	}
	return nil
}

// size returns the difference without its sign.
func (f Finding) size() wallet.KRW {
	d := f.Difference()
	return max(d, -d)
}
