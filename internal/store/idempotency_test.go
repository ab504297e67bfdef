package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// repeatableCall makes an account under a key and answers with its id, as calls that change
// something do.
func repeatableCall(ctx context.Context, s *Store, scope, key, body, id string, effect error) (answer string, repeated bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		stored, again, err := claimRequest(ctx, tx, scope, key, []byte(body), id)
		if err != nil {
			return err
		}
		if repeated, answer = again, string(stored); again {
			return nil
		}
		if effect != nil {
			return effect
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO account (id, name, email, created_at) VALUES ($1, '', $1, 0)`, id); err != nil {
			return err
		}
		answer = id
		return nil
	})
	return answer, repeated, err
}

func TestClaimRequest(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		broken := errors.New("the effect failed")
		steps := []struct {
			name, scope, key, body, id string
			effect                     error
			answer                     string
			repeated                   bool
			code                       string
		}{
			{name: "the first call fails", scope: "tok_1", key: "k", body: "a", id: "acc_0", effect: broken},
			{name: "and leaves the key free", scope: "tok_1", key: "k", body: "b", id: "acc_1", answer: "acc_1"},
			{name: "the same again", scope: "tok_1", key: "k", body: "b", id: "acc_2", answer: "acc_1", repeated: true},
			{name: "another body", scope: "tok_1", key: "k", body: "a", id: "acc_2", code: "IDEMPOTENCY_KEY_REUSED"},
			{name: "another caller", scope: "tok_2", key: "k", body: "a", id: "acc_3", answer: "acc_3"},
			{name: "another key", scope: "tok_1", key: "k2", body: "b", id: "acc_4", answer: "acc_4"},
			{name: "no key", scope: "tok_1", body: "b", id: "acc_5", answer: "acc_5"},
			{name: "no key again", scope: "tok_1", body: "b", id: "acc_6", answer: "acc_6"},
			{name: "no caller", key: "k", body: "b", id: "acc_7", answer: "acc_7"},
		}
		for _, step := range steps {
			answer, repeated, err := repeatableCall(t.Context(), s, step.scope, step.key, step.body, step.id, step.effect)
			if step.effect != nil || step.code != "" {
				if !errors.Is(err, step.effect) && fault.CodeOf(err) != step.code {
					t.Errorf("%s: error = %v, want %v %s", step.name, err, step.effect, step.code)
				}
				continue
			}
			if err != nil || answer != step.answer || repeated != step.repeated {
				t.Errorf("%s: answer = %q, repeated %v, %v, want %q, %v", step.name, answer, repeated, err, step.answer, step.repeated)
			}
		}
		var accounts int
		must(t, s.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM account`).Scan(&accounts))
		if accounts != 6 {
			t.Errorf("%d effects happened, want 6: one for each call that was not repeated", accounts)
		}
	})
}

func TestClaimRequest_atOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		const callers = 12
		answers := make([]string, callers)
		first := make([]bool, callers)
		var group sync.WaitGroup
		for i := range callers {
			group.Go(func() {
				answer, repeated, err := repeatableCall(t.Context(), s, "tok_1", "k", "body", fmt.Sprintf("acc_%d", i), nil)
				if err != nil {
					t.Errorf("call %d error = %v", i, err)
				}
				answers[i], first[i] = answer, !repeated
			})
		}
		group.Wait()
		firsts := 0
		for i := range callers {
			if answers[i] == "" || answers[i] != answers[0] {
				t.Errorf("call %d was answered %q, call 0 %q, want one answer for all", i, answers[i], answers[0])
			}
			if first[i] {
				firsts++
			}
		}
		if firsts != 1 {
			t.Errorf("%d calls were the first, want 1", firsts)
		}
	})
}

// A key is remembered for 30 days, and no longer.
func TestForgetKeys(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		for i, key := range []string{"old", "young"} {
			if _, _, err := repeatableCall(t.Context(), s, "tok_1", key, "a", fmt.Sprint("acc_", i), nil); err != nil {
				t.Fatal(err)
			}
		}
		now := time.Now() // keys age in real time
		exec(t, s, `UPDATE idempotency SET at = $1 WHERE idem_key = 'old'`, millis(now.Add(-keyLife-time.Minute)))
		exec(t, s, `UPDATE idempotency SET at = $1 WHERE idem_key = 'young'`, millis(now.Add(-keyLife+time.Minute)))
		for _, want := range []int{1, 0} {
			if n, err := s.ForgetKeys(t.Context(), now); err != nil || n != want {
				t.Fatalf("ForgetKeys() = %d, %v, want %d", n, err, want)
			}
		}
		for _, tt := range []struct {
			key      string
			repeated bool
		}{{"old", false}, {"young", true}} {
			if _, repeated, err := repeatableCall(t.Context(), s, "tok_1", tt.key, "a", "acc_new", nil); err != nil || repeated != tt.repeated {
				t.Errorf("a call with the %s key is repeated = %v, %v, want %v", tt.key, repeated, err, tt.repeated)
			}
		}
	})
}
