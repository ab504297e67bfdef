package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
)

// peopleTable is how a list of people is stored.
type peopleTable struct {
	name    string
	columns string // beside who it is; always two
	other   broadcast.PeopleList
}

var peopleTables = map[broadcast.PeopleList]peopleTable{
	broadcast.Suppressions: {"suppression", "scope, at", broadcast.Consents},
	broadcast.Consents:     {"consent", "at, night_at", broadcast.Suppressions},
}

// values are what the columns hold of somebody.
func (t peopleTable) values(s broadcast.Stance) [2]any {
	if t.other == broadcast.Consents {
		return [2]any{string(s.Scope), millis(s.At)}
	}
	return [2]any{millis(s.At), millis(s.NightAt)}
}

// stances reads what a list says of people.
func stances(ctx context.Context, tx *sql.Tx, botID string, list broadcast.PeopleList, people []broadcast.Recipient) (map[personID]broadcast.Stance, error) {
	found, table := map[personID]broadcast.Stance{}, peopleTables[list]
	var err error
	if list == broadcast.Suppressions {
		err = listed(ctx, tx, botID, table.name, table.columns, people, func(who personID, scope string, ms int64) {
			found[who] = broadcast.Stance{Type: who.kind, ID: who.id, Scope: broadcast.RefusalScope(scope), At: fromMillis(ms)}
		})
	} else {
		err = listed(ctx, tx, botID, table.name, table.columns, people, func(who personID, ms, night int64) {
			found[who] = broadcast.Stance{Type: who.kind, ID: who.id, At: fromMillis(ms), NightAt: fromMillis(night)}
		})
	}
	return found, err
}

func fromMillis(ms int64) (t time.Time) {
	if ms != 0 {
		t = time.UnixMilli(ms).UTC()
	}
	return t
}

// StancesAtOnce is the most people whose stances [Store.PutStances] takes.
const StancesAtOnce = 500

// PutStances puts people on a list of a bot in one transaction, and takes them off the other one: what
// they said last counts, and what they said earlier changes nothing. It tells of how many something
// changed. It is NotFound when there is no such bot.
//
// The audit log has it with facts; where they are nil, with what stood of the one person before and does
// after, and only where something changed.
func (s *Store) PutStances(ctx context.Context, botID string, list broadcast.PeopleList, said []broadcast.Stance, facts map[string]any) (int, error) {
	changed := 0
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		changed = 0
		if err := s.lockLists(ctx, tx, botID); err != nil {
			return err
		}
		table := peopleTables[list]
		people := make([]broadcast.Recipient, len(said))
		for i, one := range said {
			people[i] = broadcast.Recipient{Type: one.Type, ID: one.ID}
		}
		own, err := stances(ctx, tx, botID, list, people)
		if err != nil {
			return err
		}
		other, err := stances(ctx, tx, botID, table.other, people)
		if err != nil {
			return err
		}
		put := map[personID]broadcast.Stance{}
		for _, one := range said {
			who := personID{one.Type, one.ID}
			one.At, one.NightAt = fromMillis(millis(one.At)), fromMillis(millis(one.NightAt))
			standing := pointer(own, who)
			if again := pointer(put, who); again != nil {
				standing = again
			}
			if list.Prevails(one, standing, pointer(other, who)) {
				put[who] = one
			}
		}
		changed = len(put)
		deed := access.DeedOf(ctx)
		switch {
		case facts != nil:
			deed.Did(access.Object{Kind: access.OfBot, ID: botID}, nil, facts)
		case changed == 0:
			deed.Nothing()
		default:
			who := personID{said[0].Type, said[0].ID}
			deed.Did(access.Object{Kind: access.OfBot, ID: botID}, stanceFacts(list, pointer(own, who)), stanceFacts(list, pointer(put, who)))
		}
		if changed == 0 {
			return nil
		}
		return putStances(ctx, tx, botID, table, put)
	})
	return changed, err
}

// lockLists locks the lists of a bot against whoever changes them too.
func (s *Store) lockLists(ctx context.Context, tx *sql.Tx, botID string) error {
	var id string
	return orNotFound(tx.QueryRowContext(ctx, `SELECT id FROM bot WHERE id = $1`+s.dialect.lock, botID).Scan(&id), "bot", botID)
}

// putStances writes people on a list and takes them off the other one.
func putStances(ctx context.Context, tx *sql.Tx, botID string, table peopleTable, put map[personID]broadcast.Stance) error {
	var rows []string
	args, byType := []any{botID}, map[string][]any{}
	for who, one := range put {
		rows = append(rows, "($1, "+placeholders(len(args)+1, 4)+")")
		values := table.values(one)
		args = append(args, who.kind, who.id, values[0], values[1])
		byType[who.kind] = append(byType[who.kind], who.id)
	}
	first, second, _ := strings.Cut(table.columns, ", ")
	_, err := tx.ExecContext(ctx, `INSERT INTO `+table.name+` (bot_id, user_type, user_id, `+table.columns+`) VALUES `+strings.Join(rows, ", ")+
		` ON CONFLICT (bot_id, user_type, user_id) DO UPDATE SET `+first+` = excluded.`+first+`, `+second+` = excluded.`+second, args...)
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
	columns := "scope, at, CAST(0 AS BIGINT)"
	if list == broadcast.Consents {
		columns = "'', at, night_at"
	}
	rows, err := s.read.QueryContext(ctx, `SELECT user_type, user_id, `+columns+` FROM `+peopleTables[list].name+`
		WHERE bot_id = $1 AND (user_type, user_id) > ($2, $3) ORDER BY user_type, user_id LIMIT $4`, botID, after.Type, after.ID, limit)
	return collect(rows, err, func(row scanner) (one broadcast.Stance, err error) {
		err = row.Scan(&one.Type, &one.ID, &one.Scope, at(&one.At), at(&one.NightAt))
		return one, err
	})
}

// stanceFacts are what the audit log tells of somebody on a list; nil for nobody. It outlives the lists,
// so it names him by a hash: whoever knows an id finds him, and nobody learns ids from it.
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
