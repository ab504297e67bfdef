package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// period is what a command has that is about some days.
type period struct {
	From string `placeholder:"2026-11-01" help:"First day, in Korea."`
	To   string `placeholder:"2026-11-30" help:"Last day, in Korea."`
}

// query returns the period, and more, as the query of a path.
func (p period) query(more ...string) string {
	values := url.Values{}
	for i, pairs := 0, append([]string{"from", p.From, "to", p.To}, more...); i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// balancesRow is what a wallet has and owes.
type balancesRow struct {
	Free      int64 `json:"free_krw"`
	Paid      int64 `json:"paid_krw"`
	Refunding int64 `json:"refunding_krw"`
	Accrual   int64 `json:"accrual_krw"`
	Charging  int64 `json:"charging_krw"`
}

type historyRow struct {
	Kind    string       `json:"kind"`
	Posting string       `json:"posting"`
	Ref     string       `json:"ref"`
	At      time.Time    `json:"at"`
	Amount  int64        `json:"amount_krw"`
	VAT     int64        `json:"vat_krw"`
	After   *balancesRow `json:"after"`
}

type walletHistory struct {
	remote
	list
	period
	Wallet string `arg:"" help:"Wallet."`
	Kind   string `placeholder:"KIND" help:"topup, consumption, restitution, refund, charge or expiry; such a list has no balances."`
}

// Run lists what happened.
func (c walletHistory) Run(e *env) error {
	header := []string{"AT", "KIND", "POSTING", "REF", "AMOUNT", "VAT", "FREE", "PAID", "ACCRUAL", "CHARGING"}
	return listAll(c.remote, e, c.list, walletPath(c.Wallet)+"/history"+c.query("kind", c.Kind), header, func(r historyRow) []string {
		row := []string{when(r.At), r.Kind, r.Posting, r.Ref, won(r.Amount), won(r.VAT)}
		if a := r.After; a != nil {
			row = append(row, won(a.Free), won(a.Paid), won(a.Accrual), won(a.Charging))
		}
		return row
	})
}

// flowRow is what moved in a wallet.
type flowRow struct {
	Messages int64 `json:"messages"`
	Consumed struct {
		Free    int64 `json:"free_krw"`
		Paid    int64 `json:"paid_krw"`
		Accrual int64 `json:"accrual_krw"`
		All     int64 `json:"all_krw"`
	} `json:"consumed"`
	ToppedUp struct {
		Supply int64 `json:"supply_krw"`
		VAT    int64 `json:"vat_krw"`
	} `json:"topped_up"`
	Granted struct {
		Free int64 `json:"free_krw"`
		Paid int64 `json:"paid_krw"`
	} `json:"granted"`
	Expired int64 `json:"expired_krw"`
	Charges struct {
		Paid int64 `json:"paid_krw"`
		VAT  int64 `json:"vat_krw"`
	} `json:"charges"`
	Refunds struct {
		Returned int64 `json:"returned_krw"`
		VAT      int64 `json:"vat_krw"`
	} `json:"refunds"`
}

type dayRow struct {
	Day   string `json:"day"`
	SoFar bool   `json:"so_far"`
	flowRow
	Closing balancesRow `json:"closing"`
}

type walletDays struct {
	remote
	period
	Wallet string `arg:"" help:"Wallet."`
}

// Run summarises days; whoever watches also sees how the balance went.
func (c walletDays) Run(e *env) error {
	var days struct{ Items []dayRow }
	return c.call(e, "GET", walletPath(c.Wallet)+"/days"+c.query(), nil, &days, func() {
		printDays(e, days.Items)
		if terminal(e.stdout) {
			balance := make([]int64, len(days.Items))
			for i, d := range days.Items {
				balance[i] = d.Closing.Free + d.Closing.Paid
			}
			fmt.Fprintln(e.stdout, "balance", spark(balance))
		}
	})
}

func printDays(e *env, days []dayRow) {
	var rows [][]string
	for _, d := range days {
		name := d.Day
		if d.SoFar {
			name += " so far"
		}
		rows = append(rows, []string{name, won(d.Messages), won(d.Consumed.All), won(d.ToppedUp.Supply), won(d.Granted.Free + d.Granted.Paid),
			won(d.Charges.Paid), won(d.Refunds.Returned), won(d.Closing.Free), won(d.Closing.Paid), won(d.Closing.Accrual), won(d.Closing.Charging)})
	}
	header := []string{"DAY", "MESSAGES", "CONSUMED", "TOPPED UP", "GRANTED", "CHARGED", "REFUNDED", "FREE", "PAID", "ACCRUAL", "CHARGING"}
	_ = table(e.stdout, header, rows) // as any print to a terminal
}

// spark draws amounts as a row of bars, the largest as high as a letter.
func spark(amounts []int64) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	var text strings.Builder
	for _, amount := range amounts {
		most := max(slices.Max(amounts), 1)
		text.WriteRune(bars[max(amount, 0)*int64(len(bars)-1)/most])
	}
	return text.String()
}
