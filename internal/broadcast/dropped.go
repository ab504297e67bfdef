package broadcast

import (
	"context"
	"fmt"
)

// Dropped is a row that an upload leaves out.
type Dropped struct {
	BadRow
	Why    DropReason
	Person Recipient // of a row that is not bad
}

// DropReason is why a row is left out.
type DropReason string

// The reasons for which rows are left out.
const (
	DroppedBad       DropReason = "bad"
	DroppedDuplicate DropReason = "duplicate" // named before
	DroppedExcluded  DropReason = "excluded"  // reached by the broadcast that is excluded
	// DroppedSuppressed is told of a dry run alone: the lists of the bot are looked at when somebody is sent to.
	DroppedSuppressed DropReason = "suppressed"
)

// dry is a sink that stores nothing.
func (s sink) dry() sink {
	return sink{
		ad:    s.ad,
		begin: func() (int, error) { return 0, s.check() },
		store: func(int, []Packed) error { return nil },
		end:   func(int, int, Report) error { return nil },
	}
}

// lookedAtOnce is how many people of a dry run are looked up in the lists of a bot at a time.
const lookedAtOnce = 500

// look tells who of a dry run would be left out now by the lists of its bot.
func (d *Desk) look(ctx context.Context, botID string, ad bool, u *upload) error {
	if len(u.looked) == 0 {
		return nil
	}
	people := make([]Recipient, len(u.looked))
	for i, one := range u.looked {
		people[i] = one.Person
	}
	why, err := d.uploads.LeftOut(ctx, botID, ad, people, d.now())
	if err != nil {
		return fmt.Errorf("look at the lists of bot %s: %w", botID, err)
	}
	for i, one := range u.looked {
		if why[i] == "" {
			continue
		}
		u.report.Suppressed++
		one.Why, one.Reason = DroppedSuppressed, map[LeftOut]string{OptedOut: "has refused it", NoConsent: "has not agreed to advertising"}[why[i]]
		if err := u.left(one); err != nil {
			return err
		}
	}
	u.looked = u.looked[:0]
	return nil
}
