package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/wallet"
)

// sifted says whether the people of a chunk are looked through when it is to be sent: advertising always,
// everything else where somebody has refused all of a bot's messages, or the bot bounds how many there are.
const sifted = `(b.purpose = 'ad' OR t.capped = 'all' OR EXISTS (SELECT 1 FROM suppression s WHERE s.bot_id = c.bot_id AND s.scope = 'all'))`

// UseHolidays says what is a public holiday, for the hours of bots. Without it no day is one.
func (s *Store) UseHolidays(holiday func(day time.Time) bool) { s.holiday = holiday }

func (s *Store) isHoliday(day time.Time) bool { return s.holiday != nil && s.holiday(day) }

// sendingOf reads when and to whom a bot sends.
func sendingOf(ctx context.Context, q querier, botID string) (sending bot.Sending, err error) {
	var text string
	if err := q.QueryRowContext(ctx, `SELECT sending FROM bot WHERE id = $1`, botID).Scan(&text); err != nil {
		return sending, orNotFound(err, "bot", botID)
	}
	if err := json.Unmarshal([]byte(text), &sending); err != nil {
		return sending, fmt.Errorf("read when bot %s sends: %w", botID, err)
	}
	return sending, nil
}

// adFits is Invalid when the text of advertising lacks what the law asks for. A text that is not in the event
// data is the block's, and not looked at.
func adFits(ctx context.Context, tx *sql.Tx, botID string, p broadcast.Purpose, m broadcast.Message) error {
	if p != broadcast.Ad {
		return nil
	}
	sending, err := sendingOf(ctx, tx, botID)
	if err != nil {
		return err
	}
	key := sending.AdTextKey()
	if text, ours := m.Data[key]; ours {
		return bot.CheckAd("event.data."+key, text)
	}
	return nil
}

// opening is whether a broadcast may be sent now.
type opening struct {
	sending bot.Sending // of its bot
	open    bool
	until   time.Time // when that changes; zero for not soon
	// morning is when a night ends at which only those are sent to who have agreed to that; zero by day.
	morning time.Time
}

// openingOf looks at the hours of a broadcast's bot and, for advertising, at the night. A canary does not
// begin at night: part of it would have to wait.
func (s *Store) openingOf(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast, now time.Time) (o opening, err error) {
	sending, err := sendingOf(ctx, tx, b.BotID)
	if err != nil {
		return o, err
	}
	ad := b.Purpose == broadcast.Ad
	o.sending = sending
	if o.open, o.until = sending.At(now, ad, s.isHoliday); o.open || !ad || b.CanaryHolds() {
		return o, nil
	}
	byDay, closing := sending.At(now, false, s.isHoliday)
	if !byDay {
		return o, nil
	}
	var some bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM consent WHERE bot_id = $1 AND night_at > 0)`, b.BotID).Scan(&some); err != nil {
		return o, fmt.Errorf("look for consents to the night: %w", err)
	}
	if some {
		o.open, o.until, o.morning = true, closing, o.until
		if o.morning.IsZero() { // a bot that sends at night alone has no morning; those who wait look again then
			o.morning = clock.NextMidnight(now).Add(8 * time.Hour)
		}
	}
	return o, nil
}

// nightLook is how many chunks of a broadcast are looked through at a time for people who may be sent to at
// night.
const nightLook = 64

// plannedNow picks planned chunks of a locked broadcast that may go now. At night one of which nobody may be
// sent to waits for the morning from here on, so that it takes nothing of its bot's rate; more is true when
// nothing was found, and not all was looked through.
func (s *Store) plannedNow(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast, o opening, most int, now time.Time) (some []planned, more bool, err error) {
	if o.morning.IsZero() {
		some, err = s.plannedOf(ctx, tx, b, most, now)
		return some, false, err
	}
	chunks, err := s.plannedOf(ctx, tx, b, nightLook, now)
	if err != nil {
		return nil, false, err
	}
	for _, c := range chunks {
		if len(some) == most {
			break
		}
		people, err := recipientsOf(ctx, tx, broadcast.ChunkID(c.id))
		if err != nil {
			return nil, false, err
		}
		agreed, err := stances(ctx, tx, b.BotID, broadcast.Consents, people)
		if err != nil {
			return nil, false, err
		}
		if slices.ContainsFunc(people, func(p broadcast.Recipient) bool { return agreed[idOf(p)].ValidAtNight(now) }) {
			some = append(some, c)
			continue
		}
		if _, err := tx.ExecContext(ctx, `UPDATE chunk SET next_at = $2 WHERE id = $1`, c.id, millis(inTheMorning(o.morning, broadcast.ChunkID(c.id)))); err != nil {
			return nil, false, fmt.Errorf("have chunk %s wait for the morning: %w", c.id, err)
		}
	}
	return some, len(some) == 0 && len(chunks) == nightLook, nil
}

// recipientsOf reads the people of a chunk.
func recipientsOf(ctx context.Context, q querier, id broadcast.ChunkID) (people []broadcast.Recipient, err error) {
	var text string
	if err := q.QueryRowContext(ctx, `SELECT recipients FROM chunk WHERE id = $1`, id).Scan(&text); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &people); err != nil {
		return nil, fmt.Errorf("read the people of chunk %s: %w", id, err)
	}
	return people, nil
}

// openNow is a Conflict when a broadcast that may not wait comes outside the hours of its bot.
func (s *Store) openNow(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast) error {
	o, err := s.openingOf(ctx, tx, b, b.CreatedAt)
	if err != nil || o.open && o.morning.IsZero() {
		return err
	}
	until := o.until
	if o.open {
		until = o.morning
	}
	if until.IsZero() {
		return fault.Coded(fault.Conflict, "BOT_CLOSED", "bot %s does not send at this hour", b.BotID)
	}
	return fault.Coded(fault.Conflict, "BOT_CLOSED", "bot %s does not send at this hour; it does from %s on", b.BotID, until.In(clock.Seoul).Format(time.RFC3339))
}

// personID is a person on the lists of a bot.
type personID struct{ kind, id string }

func idOf(r broadcast.Recipient) personID { return personID{r.Type, r.ID} }

// part is people of a chunk who go on together.
type part struct {
	people  []broadcast.Recipient
	leftOut broadcast.LeftOut // empty for who is sent to
	later   bool              // they are sent to in the morning
}

// sift parts the people of a chunk by what may become of them now: those who are sent to, those who have to
// wait for the morning, and those who are left out, by reason.
func (s *Store) sift(ctx context.Context, tx *sql.Tx, b broadcast.Broadcast, o opening, people []broadcast.Recipient, now time.Time) ([]part, error) {
	ad := b.Purpose == broadcast.Ad
	why, agreed, err := standingsOf(ctx, tx, b.BotID, o.sending, ad, people, now)
	if err != nil {
		return nil, err
	}
	had := map[personID]int{}
	most := o.sending.CapFor(ad)
	if most != nil {
		if had, err = contacts(ctx, tx, b.BotID, *most, people, now); err != nil {
			return nil, err
		}
	}
	var goes, later, optedOut, noConsent, enough []broadcast.Recipient
	for i, p := range people {
		who := idOf(p)
		switch {
		case why[i] == broadcast.OptedOut:
			optedOut = append(optedOut, p)
		case why[i] == broadcast.NoConsent:
			noConsent = append(noConsent, p)
		case most != nil && had[who] >= most.Messages:
			enough = append(enough, p)
		case !o.morning.IsZero() && !agreed[who].ValidAtNight(now):
			later = append(later, p)
		default:
			goes = append(goes, p)
		}
	}
	all := []part{{people: goes}, {people: later, later: true}, {people: optedOut, leftOut: broadcast.OptedOut}, {people: noConsent, leftOut: broadcast.NoConsent},
		{people: enough, leftOut: broadcast.Capped}}
	var some []part
	for _, p := range all {
		if len(p.people) > 0 {
			some = append(some, p)
		}
	}
	return some, nil
}

// standingsOf tells of each of people why the lists of a bot leave him out, empty for who is sent to, and of
// advertising what people have agreed to.
func standingsOf(ctx context.Context, q querier, botID string, sending bot.Sending, ad bool, people []broadcast.Recipient, now time.Time) (why []broadcast.LeftOut, agreed map[personID]broadcast.Stance, err error) {
	refused, err := stances(ctx, q, botID, broadcast.Suppressions, people)
	if err != nil {
		return nil, nil, err
	}
	if ad {
		if agreed, err = stances(ctx, q, botID, broadcast.Consents, people); err != nil {
			return nil, nil, err
		}
	}
	recorded := ad && sending.AdConsent == bot.RecordedConsent
	why = make([]broadcast.LeftOut, len(people))
	for i, p := range people {
		who := idOf(p)
		switch scope := refused[who].Scope; {
		case scope == broadcast.RefusesAll || scope != "" && ad:
			why[i] = broadcast.OptedOut
		case recorded && !agreed[who].Valid(now):
			why[i] = broadcast.NoConsent
		}
	}
	return why, agreed, nil
}

// LeftOut tells of each of people why the lists of a bot leave him out now, of advertising or of everything;
// empty for who is sent to.
func (s *Store) LeftOut(ctx context.Context, botID string, ad bool, people []broadcast.Recipient, now time.Time) ([]broadcast.LeftOut, error) {
	sending, err := sendingOf(ctx, s.read, botID)
	if err != nil {
		return nil, err
	}
	why, _, err := standingsOf(ctx, s.read, botID, sending, ad, people, now)
	return why, err
}

// ClaimSome moves a chunk from queued to sending as [Store.ClaimChunk] does, without the people who may not
// be sent to (any more). Those who have to wait, and those who are left out, become chunks of their own; where
// nobody is left to send to, the chunk itself does.
func (s *Store) ClaimSome(ctx context.Context, id broadcast.ChunkID, epoch int, now, lease time.Time) (people []broadcast.Recipient, ok bool, err error) {
	_, err = s.changeChunk(ctx, id, func(tx *sql.Tx, _ *wallet.Wallet, b *broadcast.Broadcast, c *broadcast.Chunk) (bool, error) {
		people, ok = nil, false
		if c.State != broadcast.Queued || c.Epoch != epoch || !c.SendBy.After(now) {
			return false, nil
		}
		all, err := recipientsOf(ctx, tx, id)
		if err != nil {
			return false, err
		}
		o, err := s.openingOf(ctx, tx, *b, now)
		if err != nil || !o.open { // its bot closed meanwhile: send_by is over, and the sweep plans it again
			return false, err
		}
		parts, err := s.sift(ctx, tx, *b, o, all, now)
		if err != nil {
			return false, err
		}
		if first := parts[0]; first.leftOut == "" && !first.later {
			people, ok = first.people, true
			if err := contacted(ctx, tx, *b, *c, o.sending, people, now); err != nil {
				return false, err
			}
			if len(people) == len(all) {
				return changed(tx.ExecContext(ctx, `UPDATE chunk SET state = 'sending', lease_until = $2, attempts = attempts + 1 WHERE id = $1`, id, millis(lease)))
			}
		}
		return true, s.splitChunk(ctx, tx, b, *c, parts, o, lease)
	}, now)
	return people, ok && err == nil, err
}

// splitChunk makes a locked, queued chunk the first of its parts, and new chunks of the others. The hold
// shrinks to what is sent to; the caller saves the broadcast.
func (s *Store) splitChunk(ctx context.Context, tx *sql.Tx, b *broadcast.Broadcast, c broadcast.Chunk, parts []part, o opening, lease time.Time) error {
	hold := wallet.KRW(0)
	for n, p := range parts {
		text := broadcast.PackPeople(p.people)
		state, skipped, nextAt, leaseUntil := broadcast.Sending, 0, time.Time{}, time.Time{}
		switch {
		case p.later:
			state, nextAt = broadcast.Planned, inTheMorning(o.morning, c.ID)
			b.PlannedChunks++
		case p.leftOut != "":
			state, skipped = broadcast.ChunkCancelled, len(p.people)
			b.Counts.Skipped += skipped
		default:
			hold, leaseUntil = b.Price*wallet.KRW(len(p.people)), lease
		}
		if n == 0 {
			_, err := tx.ExecContext(ctx, `UPDATE chunk SET state = $2, people = $3, recipients = $4, hold_krw = $5, next_at = $6, skipped = $7, left_out = $8,
				lease_until = $9, enqueued_at = CASE WHEN $2 = 'sending' THEN enqueued_at ELSE 0 END, epoch = CASE WHEN $2 = 'planned' THEN epoch + 1 ELSE epoch END,
				attempts = CASE WHEN $2 = 'sending' THEN attempts + 1 ELSE attempts END WHERE id = $1`,
				c.ID, string(state), len(p.people), text, hold, millis(nextAt), skipped, string(p.leftOut), millis(leaseUntil))
			if err != nil {
				return fmt.Errorf("part chunk %s: %w", c.ID, err)
			}
			continue
		}
		if err := s.addPart(ctx, tx, b, c, state, p, text, nextAt, skipped); err != nil {
			return err
		}
	}
	return moveHeld(ctx, tx, c.WalletID, hold-c.Hold)
}

// addPart adds a chunk behind all others of a locked broadcast.
func (s *Store) addPart(ctx context.Context, tx *sql.Tx, b *broadcast.Broadcast, of broadcast.Chunk, state broadcast.ChunkState, p part, text string, nextAt time.Time, skipped int) error {
	var seq int
	if err := tx.QueryRowContext(ctx, `SELECT MAX(seq) + 1 FROM chunk WHERE broadcast_id = $1`, b.ID).Scan(&seq); err != nil {
		return err
	}
	id := broadcast.NewChunkID(b.ID, seq)
	if _, err := tx.ExecContext(ctx, insertChunks(1), string(b.ID), b.AudienceEpoch, of.WalletID, of.BotID, string(id), seq, len(p.people), text); err != nil {
		return fmt.Errorf("part chunk %s: %w", of.ID, err)
	}
	b.Chunks++
	_, err := tx.ExecContext(ctx, `UPDATE chunk SET state = $2, next_at = $3, skipped = $4, left_out = $5 WHERE id = $1`, id, string(state), millis(nextAt), skipped, string(p.leftOut))
	if err != nil {
		return fmt.Errorf("part chunk %s: %w", of.ID, err)
	}
	return nil
}

// morningSpread is over how long those who waited for the morning are sent to.
const morningSpread = 10 * time.Minute

// inMorning reports whether a time is among those at which people go who have waited for the morning of an open
// broadcast: see [inTheMorning].
func (s *Store) inMorning(b broadcast.Broadcast, o opening, at, now time.Time) bool {
	if b.Purpose != broadcast.Ad {
		return false
	}
	open, morning := o.sending.At(now.Add(-morningSpread), true, s.isHoliday)
	return !open && !at.Before(morning) && at.Before(morning.Add(morningSpread))
}

// inTheMorning is when a chunk goes that waited for the morning: one after another, so that not all come at the
// same moment. It is the same whenever it is asked.
func inTheMorning(morning time.Time, id broadcast.ChunkID) time.Time {
	hash := uint32(2166136261)
	for _, letter := range []byte(id) {
		hash = (hash ^ uint32(letter)) * 16777619
	}
	return morning.Add(time.Duration(hash) % (morningSpread / time.Millisecond) * time.Millisecond)
}
