package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// peopleTable is how a list of people is stored.
type peopleTable struct {
	name    string
	columns string // beside who it is; as putStances writes them
	read    string // the same, as scanStance reads them
	other   broadcast.PeopleList
}

var peopleTables = map[broadcast.PeopleList]peopleTable{
	broadcast.Suppressions: {"suppression", "scope, at, source", "scope, at, CAST(0 AS BIGINT), source", broadcast.Consents},
	broadcast.Consents:     {"consent", "at, night_at, source", "'', at, night_at, source", broadcast.Suppressions},
}

// values are what the columns hold of somebody.
func (t peopleTable) values(s broadcast.Stance) []any {
	if t.other == broadcast.Consents {
		return []any{string(s.Scope), millis(s.At), s.Source}
	}
	return []any{millis(s.At), millis(s.NightAt), s.Source}
}

func scanStance(row scanner) (s broadcast.Stance, err error) {
	err = row.Scan(&s.Type, &s.ID, &s.Scope, at(&s.At), at(&s.NightAt), &s.Source)
	return s, err
}

// stances reads what a list of a bot says of people.
func stances(ctx context.Context, q querier, botID string, list broadcast.PeopleList, people []broadcast.Recipient) (map[personID]broadcast.Stance, error) {
	table, found := peopleTables[list], map[personID]broadcast.Stance{}
	byType := map[string][]any{} // as the key of the list begins
	for _, p := range people {
		byType[p.Type] = append(byType[p.Type], p.ID)
	}
	for kind, ids := range byType {
		rows, err := q.QueryContext(ctx, `SELECT user_type, user_id, `+table.read+` FROM `+table.name+`
			WHERE bot_id = $1 AND user_type = $2 AND user_id IN (`+placeholders(3, len(ids))+`)`, append([]any{botID, kind}, ids...)...)
		all, err := collect(rows, err, scanStance)
		if err != nil {
			return nil, fmt.Errorf("look people up in %s: %w", table.name, err)
		}
		for _, s := range all {
			found[personID{s.Type, s.ID}] = s
		}
	}
	return found, nil
}

// weighed is what becomes of people who are put on a list.
type weighed struct {
	own   map[personID]broadcast.Stance // what the list says of them
	put   map[personID]broadcast.Stance // of whom something changes
	noted broadcast.Noted
}

// weigh tells what becomes of people who are put on a list. Of somebody who is named twice, what he said
// last counts.
func weigh(ctx context.Context, q querier, botID string, list broadcast.PeopleList, said []broadcast.Stance) (w weighed, err error) {
	people := make([]broadcast.Recipient, len(said))
	for i, one := range said {
		people[i] = broadcast.Recipient{Type: one.Type, ID: one.ID}
	}
	if w.own, err = stances(ctx, q, botID, list, people); err != nil {
		return w, err
	}
	other, err := stances(ctx, q, botID, peopleTables[list].other, people)
	if err != nil {
		return w, err
	}
	w.put = map[personID]broadcast.Stance{}
	named := map[personID]bool{}
	for _, one := range said {
		who := personID{one.Type, one.ID}
		named[who] = true
		one.At, one.NightAt = fromMillis(millis(one.At)), fromMillis(millis(one.NightAt))
		standing := pointer(w.own, who)
		if again := pointer(w.put, who); again != nil {
			standing = again
		}
		if list == broadcast.Suppressions && standing != nil { // what a file leaves out stays as it is
			one.Scope, one.Source = cmp.Or(one.Scope, standing.Scope), cmp.Or(one.Source, standing.Source)
		}
		if list == broadcast.Suppressions {
			one.Scope = cmp.Or(one.Scope, broadcast.RefusesAds)
		}
		if list.Prevails(one, standing, pointer(other, who)) {
			w.put[who] = one
		}
	}
	for who := range w.put {
		if _, stood := w.own[who]; stood {
			w.noted.Changed++
		} else {
			w.noted.New++
		}
	}
	w.noted.Unchanged = len(named) - len(w.put)
	return w, nil
}

func fromMillis(ms int64) (t time.Time) {
	if ms != 0 {
		t = time.UnixMilli(ms).UTC()
	}
	return t
}

// PutStance puts somebody on a list of a bot and takes him off the other one: what he said last counts, and
// what he said earlier changes nothing. It tells whether something changed; the audit log then has what
// stood of him before and does after. It is NotFound when there is no such bot.
func (s *Store) PutStance(ctx context.Context, botID string, list broadcast.PeopleList, said broadcast.Stance) (changed bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		w, err := s.putWeighed(ctx, tx, botID, list, []broadcast.Stance{said})
		if err != nil {
			return err
		}
		deed, who := access.DeedOf(ctx), personID{said.Type, said.ID}
		if changed = w.noted.Put() > 0; changed {
			deed.Did(access.Object{Kind: access.OfBot, ID: botID}, stanceFacts(list, pointer(w.own, who)), stanceFacts(list, pointer(w.put, who)))
		} else {
			deed.Nothing()
		}
		return nil
	})
	return changed, err
}

// PutStances does what [Store.PutStance] does with many people in one transaction. The audit log has it as
// tell puts it, and not where tell is nil.
func (s *Store) PutStances(ctx context.Context, botID string, list broadcast.PeopleList, said []broadcast.Stance, tell func(broadcast.Noted) any) (noted broadcast.Noted, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		w, err := s.putWeighed(ctx, tx, botID, list, said)
		if err != nil {
			return err
		}
		if noted = w.noted; tell != nil {
			access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: botID}, nil, tell(noted))
		}
		return nil
	})
	return noted, err
}

// WeighStances tells what [Store.PutStances] would do, and does nothing.
func (s *Store) WeighStances(ctx context.Context, botID string, list broadcast.PeopleList, said []broadcast.Stance) (broadcast.Noted, error) {
	w, err := weigh(ctx, s.read, botID, list, said)
	return w.noted, err
}

func (s *Store) putWeighed(ctx context.Context, tx *sql.Tx, botID string, list broadcast.PeopleList, said []broadcast.Stance) (weighed, error) {
	if err := s.lockLists(ctx, tx, botID); err != nil {
		return weighed{}, err
	}
	w, err := weigh(ctx, tx, botID, list, said)
	if err == nil && len(w.put) > 0 {
		err = putStances(ctx, tx, botID, peopleTables[list], w.put)
	}
	return w, err
}

// lockLists locks the lists of a bot against whoever changes them too.
func (s *Store) lockLists(ctx context.Context, tx *sql.Tx, botID string) error {
	var id string
	return orNotFound(tx.QueryRowContext(ctx, `SELECT id FROM bot WHERE id = $1`+s.dialect.lock, botID).Scan(&id), "bot", botID)
}

// putStances writes people on a list, in the order of its index, and takes them off the other one.
func putStances(ctx context.Context, tx *sql.Tx, botID string, table peopleTable, put map[personID]broadcast.Stance) error {
	var rows []string
	args, byType := []any{botID}, map[string][]any{}
	inOrder := func(a, b personID) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id)) }
	for _, who := range slices.SortedFunc(maps.Keys(put), inOrder) {
		values := table.values(put[who])
		rows = append(rows, "($1, "+placeholders(len(args)+1, 2+len(values))+")")
		args = append(append(args, who.kind, who.id), values...)
		byType[who.kind] = append(byType[who.kind], who.id)
	}
	var set []string
	for column := range strings.SplitSeq(table.columns, ", ") {
		set = append(set, column+" = excluded."+column)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO `+table.name+` (bot_id, user_type, user_id, `+table.columns+`) VALUES `+strings.Join(rows, ", ")+
		` ON CONFLICT (bot_id, user_type, user_id) DO UPDATE SET `+strings.Join(set, ", "), args...)
	if err != nil {
		return fmt.Errorf("put people into %s: %w", table.name, err)
	}
	other := peopleTables[table.other].name
	for kind, ids := range byType {
		_, err := tx.ExecContext(ctx, `DELETE FROM `+other+` WHERE bot_id = $1 AND user_type = $2 AND user_id IN (`+placeholders(3, len(ids))+`)`,
			append([]any{botID, kind}, ids...)...)
		if err != nil {
			return fmt.Errorf("take people out of %s: %w", other, err)
		}
	}
	return nil
}

// RemoveStance takes somebody off a list of a bot. It is NotFound when he is not on it, or there is no
// such bot.
func (s *Store) RemoveStance(ctx context.Context, botID string, list broadcast.PeopleList, person broadcast.Recipient) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.lockLists(ctx, tx, botID); err != nil {
			return err
		}
		found, err := stances(ctx, tx, botID, list, []broadcast.Recipient{person})
		if err != nil {
			return err
		}
		before, there := found[idOf(person)]
		if !there {
			return fault.New(fault.NotFound, "nobody of this type and id is on the list of %s", list)
		}
		access.DeedOf(ctx).Did(access.Object{Kind: access.OfBot, ID: botID}, stanceFacts(list, &before), nil)
		_, err = tx.ExecContext(ctx, `DELETE FROM `+peopleTables[list].name+` WHERE bot_id = $1 AND user_type = $2 AND user_id = $3`, botID, person.Type, person.ID)
		return err
	})
}

// Stances lists the people of a list of a bot by type and id: those after one, or from the first.
func (s *Store) Stances(ctx context.Context, botID string, list broadcast.PeopleList, after broadcast.Recipient, limit int) ([]broadcast.Stance, error) {
	table := peopleTables[list]
	rows, err := s.read.QueryContext(ctx, `SELECT user_type, user_id, `+table.read+` FROM `+table.name+`
		WHERE bot_id = $1 AND (user_type, user_id) > ($2, $3) ORDER BY user_type, user_id LIMIT $4`, botID, after.Type, after.ID, limit)
	return collect(rows, err, scanStance)
}

// StanceOf tells what the lists of a bot say of somebody, of whom at most one says something; nil for nothing.
func (s *Store) StanceOf(ctx context.Context, botID string, person broadcast.Recipient) (refusal, consent *broadcast.Stance, err error) {
	refused, err := stances(ctx, s.read, botID, broadcast.Suppressions, []broadcast.Recipient{person})
	if err != nil {
		return nil, nil, err
	}
	agreed, err := stances(ctx, s.read, botID, broadcast.Consents, []broadcast.Recipient{person})
	return pointer(refused, idOf(person)), pointer(agreed, idOf(person)), err
}

// stanceFacts are what the audit log tells of somebody on a list; nil for nobody. It outlives the lists,
// so it names him by a hash: whoever knows an id finds him, and nobody learns ids from it. Nor does it have
// the source, which may tell of him.
func stanceFacts(list broadcast.PeopleList, one *broadcast.Stance) any {
	if one == nil {
		return nil
	}
	sum := sha256.Sum256([]byte(one.Type + "\x00" + one.ID))
	facts := map[string]any{"list": list, "type": one.Type, "id_hash": hex.EncodeToString(sum[:16]), "at": one.At}
	if one.Scope != "" {
		facts["scope"] = one.Scope
	}
	if !one.NightAt.IsZero() {
		facts["night_at"] = one.NightAt
	}
	return facts
}

// pointer returns what stands of somebody, nil for nothing.
func pointer(standing map[personID]broadcast.Stance, who personID) *broadcast.Stance {
	if one, there := standing[who]; there {
		return &one
	}
	return nil
}
