package bot

import (
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

// TalkingChange is what to set of a bot's talking; nil leaves a field as it is.
type TalkingChange struct {
	MinimumAccuracy *int
	ChooseWithin    *int
	HandoffAfter    *int
	SecurityLevel   *int
	PlainUserKeys   *bool
	WebhookCalls    *int
}

func (c TalkingChange) check() error {
	for _, field := range []struct {
		name         string
		value        *int
		fewest, most int
	}{
		{"minimum_accuracy", c.MinimumAccuracy, 0, 100},
		{"choose_within", c.ChooseWithin, 0, 30},
		{"handoff_after", c.HandoffAfter, 0, 20},
		{"security_level", c.SecurityLevel, 1, 4},
		{"webhook_calls", c.WebhookCalls, 1, 256},
	} {
		if field.value != nil && (*field.value < field.fewest || *field.value > field.most) {
			return fault.Field("talking."+field.name, "must be %d to %d", field.fewest, field.most)
		}
	}
	return nil
}

// Apply returns settings with what is given set.
func (c TalkingChange) Apply(s scenario.Settings) scenario.Settings {
	set(&s.MinimumAccuracy, c.MinimumAccuracy)
	set(&s.ChooseWithin, c.ChooseWithin)
	set(&s.HandoffAfter, c.HandoffAfter)
	set(&s.SecurityLevel, c.SecurityLevel)
	set(&s.PlainUserKeys, c.PlainUserKeys)
	set(&s.WebhookCalls, c.WebhookCalls)
	return s
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}
