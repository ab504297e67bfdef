package mail

import "context"

// Probe connects as [Sender.Send] would, signs in and says goodbye: no mail is begun. The error is the
// one that Send returns when it cannot connect, and never shows the password.
func Probe(ctx context.Context, config Config) error {
	s := New(config)
	c, err := s.dial(ctx)
	if err != nil {
		return s.unreachable(err)
	}
	c.quit()
	return nil
}
