package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/wallet"
)

// mailRefund tells that money went back, by which ways, and what did not.
func (s *Store) mailRefund(ctx context.Context, tx *sql.Tx, w wallet.Wallet, r billing.Refund, now time.Time) error {
	name, err := walletName(ctx, tx, w.ID)
	if err != nil {
		return err
	}
	data := notice.RefundDone{WalletName: name, Balance: w.Free + w.Paid, DoneAt: now, Path: billing.WalletPath(w.ID)}
	var ways []notice.RefundWay
	for _, line := range r.Lines {
		if line.State != billing.LineDone {
			data.Kept += line.Supply
			continue
		}
		data.Amount.Supply += line.Supply
		data.Amount.VAT += line.VAT
		ways = append(ways, notice.RefundWay{Method: billing.WayBack(line.Method, r.To), PaidAt: line.PaidAt, Total: line.Supply + line.VAT})
	}
	data.Amount.Total = data.Amount.Supply + data.Amount.VAT
	data.Ways = ways
	return insertNotices(ctx, tx, notice.Event{WalletID: w.ID, Subject: r.ID, At: now, Data: data})
}
