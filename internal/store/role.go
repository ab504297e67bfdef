package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/malgil/malgil/internal/access"
)

// places finds, for each kind of object, whose it is: the account that owns it, the wallet and the
// bot whose people have to do with it; ” for none. A wallet without a bot is that of all its bots.
var places = map[access.Kind]string{
	access.OfAccount:   `SELECT id, '', '' FROM account WHERE id = $1`,
	access.OfToken:     `SELECT COALESCE(account_id, ''), '', '' FROM token WHERE id = $1`,
	access.OfCard:      `SELECT c.account_id, COALESCE(w.wallet_id, ''), '' FROM card c LEFT JOIN wallet_card w ON w.card_id = c.id WHERE c.id = $1 AND c.removed_at = 0`,
	access.OfCheckout:  `SELECT account_id, COALESCE(wallet_id, ''), '' FROM checkout WHERE id = $1`,
	access.OfWallet:    `SELECT '', id, '' FROM wallet WHERE id = $1`,
	access.OfBot:       `SELECT '', COALESCE(wallet_id, ''), id FROM bot WHERE id = $1`,
	access.OfAudience:  `SELECT '', COALESCE(b.wallet_id, ''), b.id FROM audience a JOIN bot b ON b.id = a.bot_id WHERE a.id = $1`,
	access.OfSchedule:  `SELECT '', COALESCE(b.wallet_id, ''), b.id FROM schedule s JOIN bot b ON b.id = s.bot_id WHERE s.id = $1`,
	access.OfWebhook:   `SELECT '', COALESCE(b.wallet_id, ''), b.id FROM webhook h JOIN bot b ON b.id = h.bot_id WHERE h.id = $1 AND h.deleted_at = 0`,
	access.OfBroadcast: `SELECT '', wallet_id, bot_id FROM broadcast WHERE id = $1`,
}

// place is whose an object is.
type place struct{ owner, wallet, bot string }

// placeOf finds whose an object is. found is false when there is no such object.
func placeOf(ctx context.Context, q querier, o access.Object) (p place, found bool, err error) {
	query, known := places[o.Kind]
	if !known {
		return p, false, fmt.Errorf("it is not known whose a %s is", o.Kind)
	}
	err = q.QueryRowContext(ctx, query, o.ID).Scan(&p.owner, &p.wallet, &p.bot)
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	return p, err == nil, err
}

// Roles lists what an account is to an object, the stronger role first; nothing when there is no
// such object.
func (s *Store) Roles(ctx context.Context, accountID string, o access.Object) ([]access.Role, error) {
	p, found, err := placeOf(ctx, s.read, o)
	if err != nil || !found {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT 'wallet_' || role, CASE role WHEN 'master' THEN 0 WHEN 'worker' THEN 2 ELSE 4 END AS place
			FROM wallet_member WHERE wallet_id = $1 AND account_id = $3
		UNION
		SELECT 'bot_' || m.role, CASE m.role WHEN 'master' THEN 1 WHEN 'operator' THEN 3 ELSE 5 END
			FROM bot_member m JOIN bot b ON b.id = m.bot_id
			WHERE m.account_id = $3 AND (b.id = $2 OR ($2 = '' AND b.wallet_id = $1 AND m.role <> 'viewer'))
		ORDER BY place`, p.wallet, p.bot, accountID)
	roles, err := collect(rows, err, func(row scanner) (r access.Role, err error) {
		var word string
		var place int
		err = row.Scan(&word, &place)
		return roleWords[word], err
	})
	if p.owner != "" && p.owner == accountID {
		roles = append(roles, access.Owner)
	}
	return roles, err
}

// roleWords are the roles by the tables that keep them.
var roleWords = map[string]access.Role{
	"wallet_master": access.WalletMaster, "wallet_worker": access.WalletWorker, "wallet_viewer": access.Viewer,
	"bot_master": access.ChatbotMaster, "bot_operator": access.BotOperator, "bot_viewer": access.Viewer,
}

// What a person sees in lists: conditions on the id of a row, with the person's account as $1 or
// as the number that is put in. Everything has the account ”.
const (
	seesWallet = `($%[1]d = '' OR %[2]s IN (SELECT wallet_id FROM wallet_member WHERE account_id = $%[1]d
		UNION SELECT b.wallet_id FROM bot_member m JOIN bot b ON b.id = m.bot_id WHERE m.account_id = $%[1]d AND m.role = 'master'))`
	seesBot = `($%[1]d = '' OR %[2]s IN (SELECT bot_id FROM bot_member WHERE account_id = $%[1]d
		UNION SELECT b.id FROM bot b JOIN wallet_member m ON m.wallet_id = b.wallet_id WHERE m.account_id = $%[1]d))`
)
