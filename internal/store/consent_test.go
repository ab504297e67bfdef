package store

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/stance"
)

// What people said last counts: nobody stands on both lists, and what came earlier changes nothing.
func TestStances(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		_, foreign := shop(t, s, "2", 0)
		who := func(id string, minute int, scope broadcast.RefusalScope) broadcast.Stance {
			return broadcast.Stance{Type: "botUserKey", ID: id, Scope: scope, At: t0.Add(time.Duration(minute) * time.Minute)}
		}
		put := func(list broadcast.PeopleList, want int, said ...broadcast.Stance) {
			t.Helper()
			if got, err := s.PutStances(t.Context(), botID, list, said, nil); err != nil || got.Put() != want {
				t.Fatalf("PutStances(%s, %v) = %+v, %v, want %d", list, said, got, err, want)
			}
		}
		stand := func(list broadcast.PeopleList, want ...broadcast.Stance) {
			t.Helper()
			got, err := s.Stances(t.Context(), botID, list, broadcast.Recipient{}, 10)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s are %v, %v, want %v", list, got, err, want)
			}
		}
		if _, err := s.PutStances(t.Context(), foreign, broadcast.Suppressions, []broadcast.Stance{who("u1", 9, "all")}, nil); err != nil {
			t.Fatal(err)
		}
		night := who("u1", 1, "")
		night.NightAt, night.Source = night.At, "앱 설정"
		weigh := func(list broadcast.PeopleList, want broadcast.Noted, said ...broadcast.Stance) {
			t.Helper()
			if got, err := s.WeighStances(t.Context(), botID, list, said); err != nil || got != want {
				t.Errorf("WeighStances(%s, %v) = %+v, %v, want %+v", list, said, got, err, want)
			}
		}
		weigh(broadcast.Consents, broadcast.Noted{New: 2}, night, who("u2", 1, ""))
		put(broadcast.Consents, 2, night, who("u2", 1, ""))
		stand(broadcast.Consents, night, who("u2", 1, ""))
		weigh(broadcast.Consents, broadcast.Noted{New: 1, Changed: 1, Unchanged: 1}, night, who("u2", 2, ""), who("u3", 1, ""))
		weigh(broadcast.Suppressions, broadcast.Noted{New: 1, Unchanged: 1}, who("u1", 0, "ad"), who("u2", 1, "ad"))
		put(broadcast.Suppressions, 0, who("u1", 0, "ad"))
		put(broadcast.Suppressions, 1, who("u1", 2, "ad"))
		stand(broadcast.Consents, who("u2", 1, ""))
		put(broadcast.Suppressions, 0, who("u1", 2, "ad"))
		put(broadcast.Suppressions, 1, who("u1", 2, "all"))
		put(broadcast.Consents, 0, who("u1", 2, ""))
		stand(broadcast.Suppressions, who("u1", 2, "all"))
		put(broadcast.Suppressions, 0, who("u1", 2, "ad"), who("u1", 1, "")) // what leaves the scope out changes none
		put(broadcast.Suppressions, 1, who("u1", 3, ""))
		stand(broadcast.Suppressions, who("u1", 3, "all"))
		put(broadcast.Suppressions, 1, who("u1", 4, "all"))
		exec(t, s, `UPDATE suppression SET at = at - 120000 WHERE user_id = 'u1'`)
		put(broadcast.Consents, 1, who("u1", 3, ""))
		stand(broadcast.Suppressions)

		if refusal, consent, err := s.StanceOf(t.Context(), botID, broadcast.Recipient{Type: "botUserKey", ID: "u1"}); err != nil || refusal != nil || consent == nil || *consent != who("u1", 3, "") {
			t.Errorf("StanceOf = %v, %v, %v, want the consent alone", refusal, consent, err)
		}

		// Named twice in one go, the later one counts, wherever it stands; types are apart.
		app := who("u1", 4, "ad")
		app.Type = "appUserId"
		put(broadcast.Suppressions, 2, who("u1", 6, "ad"), app, who("u1", 5, "all"))
		stand(broadcast.Suppressions, app, who("u1", 6, "ad"))
		stand(broadcast.Consents, who("u2", 1, ""))
		if got, err := s.Stances(t.Context(), botID, broadcast.Suppressions, broadcast.Recipient{Type: "appUserId", ID: "u1"}, 1); err != nil || len(got) != 1 || got[0].Type != "botUserKey" {
			t.Errorf("those after the first are %v, %v, want the second", got, err)
		}

		u1 := broadcast.Recipient{Type: "botUserKey", ID: "u1"}
		if err := s.RemoveStance(t.Context(), botID, broadcast.Suppressions, u1); err != nil {
			t.Fatal(err)
		}
		stand(broadcast.Suppressions, app)
		for name, err := range map[string]error{
			"again":  s.RemoveStance(t.Context(), botID, broadcast.Suppressions, u1),
			"no bot": s.RemoveStance(t.Context(), "none", broadcast.Suppressions, u1),
		} {
			if fault.KindOf(err) != fault.NotFound || strings.Contains(err.Error(), "u1") {
				t.Errorf("RemoveStance, %s, error = %v, want NotFound without the id", name, err)
			}
		}
		if _, err := s.PutStances(t.Context(), "none", broadcast.Consents, []broadcast.Stance{who("u1", 1, "")}, nil); fault.KindOf(err) != fault.NotFound {
			t.Errorf("PutStances of no bot error = %v, want NotFound", err)
		}
	})
}

// Changes that come at the same moment from two sides leave nobody on both lists.
func TestStances_atOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		said := make([]broadcast.Stance, stance.AtOnce)
		for i := range said {
			said[i] = broadcast.Stance{Type: "botUserKey", ID: fmt.Sprintf("u%03d", i), Scope: broadcast.RefusesAds, At: t0}
		}
		var all sync.WaitGroup
		for _, list := range []broadcast.PeopleList{broadcast.Suppressions, broadcast.Consents, broadcast.Suppressions, broadcast.Consents} {
			all.Go(func() {
				if _, err := s.PutStances(t.Context(), botID, list, said, nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for list, want := range map[broadcast.PeopleList]int{broadcast.Suppressions: stance.AtOnce, broadcast.Consents: 0} {
			if got, err := s.Stances(t.Context(), botID, list, broadcast.Recipient{}, 2*stance.AtOnce); err != nil || len(got) != want {
				t.Errorf("%s are %d people, %v, want %d: who refuses and agrees at the same moment has refused", list, len(got), err, want)
			}
		}
	})
}

// The audit log tells of every change, and of nobody's id.
func TestStances_audit(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *Store) {
		_, botID := shop(t, s, "1", 0)
		person := broadcast.Stance{Type: "botUserKey", ID: "reader-17", Scope: broadcast.RefusesAll, At: t0}
		deed := func(action string) access.Deed { return access.Deed{Action: action, At: t0} }
		bot := access.Object{Kind: access.OfBot, ID: botID}
		for _, action := range []string{"put", "again"} {
			if _, err := s.PutStance(access.WithDeed(t.Context(), deed(action), bot), botID, broadcast.Suppressions, person); err != nil {
				t.Fatal(err)
			}
		}
		imported := access.WithDeed(t.Context(), deed("import"), bot)
		for _, tell := range []func(broadcast.Noted) any{func(n broadcast.Noted) any { return map[string]any{"unchanged": n.Unchanged} }, nil} { // what is told once is written once
			if _, err := s.PutStances(imported, botID, broadcast.Suppressions, []broadcast.Stance{person}, tell); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.RemoveStance(access.WithDeed(t.Context(), deed("remove"), bot), botID, broadcast.Suppressions, broadcast.Recipient{Type: person.Type, ID: person.ID}); err != nil {
			t.Fatal(err)
		}
		entries, err := s.Audit(t.Context(), AuditFilter{Sight: access.Everything, Subject: bot}, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Action+": "+e.Before+" → "+e.After)
		}
		const said = `{"at":"2026-11-24T03:00:00Z","id_hash":"HASH","list":"suppressions","scope":"all","type":"botUserKey"}`
		text := strings.ReplaceAll(strings.Join(got, "\n"), stanceFacts(broadcast.Suppressions, &person).(map[string]any)["id_hash"].(string), "HASH")
		if want := "remove: " + said + " → \nimport:  → {\"unchanged\":1}\nput:  → " + said; text != want {
			t.Errorf("the audit log has\n%s\nwant\n%s", text, want)
		}
	})
}
