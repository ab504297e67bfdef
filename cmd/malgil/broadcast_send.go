package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/recipient"
)

type broadcastSend struct {
	remote
	once
	recipientFile
	Recipients string            `arg:"" type:"existingfile" help:"${fileHelp}"`
	Bot        string            `required:"" help:"Bot that speaks."`
	Event      string            `required:"" help:"Event name set on the block."`
	Channel    string            `enum:"live,development" default:"live" help:"live or development."`
	Name       string            `help:"Name for people."`
	Data       map[string]string `help:"Event data, key=value."`
	Params     string            `help:"Params for the block's skill, a JSON object."`
	StartAt    time.Time         `help:"Start, such as 2026-11-24T19:00:00+09:00; at once, when left out."`
	ExpiresAt  time.Time         `help:"Who was not sent to by then is skipped."`
	Watch      bool              `help:"Wait until everyone has an outcome."`
}

// Run orders a broadcast, uploads its people, seals it, and perhaps watches it. The file is read
// before anything is ordered: a bad one leaves nothing behind. Cut short, it is repeated with its
// key: what was done is not done again.
func (c broadcastSend) Run(e *env) error {
	people, err := c.readPeople(c.Recipients)
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.dryRun(e, people)
	}
	order, err := c.order()
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	key, told := c.key()
	var b broadcastRow
	if err := client.Call(e.ctx, "POST", "/api/v1/broadcasts", order, &b, apiclient.IdempotencyKey(key)); err != nil {
		return told(lines(err))
	}
	if b.State == "uploading" {
		if _, err := c.upload(e, client, broadcastPath(b.ID), c.Recipients); err != nil {
			return told(fmt.Errorf("%w\nbroadcast %s waits for its recipients: malgil broadcast upload %[2]s FILE, then seal %[2]s; or cancel %[2]s", lines(err), b.ID))
		}
		if err := client.Call(e.ctx, "POST", broadcastPath(b.ID)+"/seal", nil, &b); err != nil {
			return told(err)
		}
	}
	if c.Watch {
		return c.watch(e, b.ID, time.Second)
	}
	return c.call(e, "GET", broadcastPath(b.ID), nil, &b, func() { b.print(e) })
}

// order is the body of the order.
func (c broadcastSend) order() (map[string]any, error) {
	body := map[string]any{"bot": c.Bot, "channel": c.Channel, "event": map[string]any{"name": c.Event}}
	if len(c.Data) > 0 {
		body["event"] = map[string]any{"name": c.Event, "data": c.Data}
	}
	if c.Name != "" {
		body["name"] = c.Name
	}
	if c.Params != "" {
		if !json.Valid([]byte(c.Params)) {
			return nil, fault.Field("--params", "is not JSON")
		}
		body["params"] = json.RawMessage(c.Params)
	}
	if !c.StartAt.IsZero() {
		body["start_at"] = c.StartAt
	}
	if !c.ExpiresAt.IsZero() {
		body["expires_at"] = c.ExpiresAt
	}
	return body, nil
}

// dryRun asks what so many people would cost; nothing is ordered.
func (c broadcastSend) dryRun(e *env, people int) error {
	var b botRow
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := client.Call(e.ctx, "GET", botPath(c.Bot), nil, &b); err != nil {
		return err
	}
	var q quoteRow
	return c.call(e, "POST", "/api/v1/quote", quoteOf(people, b.Wallet), &q, func() {
		q.print(e)
		fmt.Fprintln(e.stdout, "nothing was sent")
	})
}

// recipientFile is a file of recipients and how it is read.
type recipientFile struct {
	Map         string `placeholder:"id:NAME,type:NAME,properties:NAME|NAME" help:"Which columns of a .csv or .xlsx mean what; left out, they go by their names."`
	SkipBadRows bool   `help:"Leave bad rows of the file out."`
}

// fileHelp is the help of a file of recipients.
const fileHelp = "File of recipients, .csv, .xlsx or .ndjson: a header line with id and perhaps type, every other column a property; or a JSON object a line."

// open opens a file as the server will read it.
func (f recipientFile) open(name string) (rows recipient.Reader, done func() error, err error) {
	format, err := recipient.OfName(name)
	if err != nil {
		return nil, nil, err
	}
	columns, err := recipient.ParseMapping(f.Map)
	if err != nil {
		return nil, nil, err
	}
	from, err := os.Open(name)
	if err != nil {
		return nil, nil, fault.Field("recipients", "cannot be opened: %v", err)
	}
	rows, err = recipient.Open(from, format, recipient.Options{Columns: columns})
	if err != nil {
		return nil, nil, errors.Join(err, from.Close())
	}
	return rows, func() error { return errors.Join(rows.Close(), from.Close()) }, nil
}

// query is what the file adds to the address of an upload.
func (f recipientFile) query() url.Values {
	query := url.Values{}
	if f.SkipBadRows {
		query.Set("skip_bad_rows", "true")
	}
	if f.Map != "" {
		query.Set("map", f.Map)
	}
	return query
}

// maxBadRows is how many bad rows are told one by one.
const maxBadRows = 100

// readPeople reads a whole file of recipients as the server will, and counts the people, each once
// where he is named twice: 16 bytes of memory a person. Bad rows are an error that names them,
// unless they are to be left out.
func (f recipientFile) readPeople(name string) (people int, err error) {
	rows, done, err := f.open(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, done()) }()
	seen := map[[16]byte]struct{}{}
	var bad []error
	more := 0
	for {
		person, err := rows.Next()
		var row *broadcast.BadRow
		switch {
		case errors.Is(err, io.EOF):
			if len(bad) == 0 || f.SkipBadRows {
				return len(seen), nil
			}
			if more > 0 {
				bad = append(bad, fmt.Errorf("and %s more", won(int64(more))))
			}
			first := fmt.Errorf("%s has bad rows; mend them, or leave them out with --skip-bad-rows", name)
			return 0, errors.Join(append([]error{first}, bad...)...)
		case errors.As(err, &row):
			if len(bad) == maxBadRows {
				more++
			} else {
				bad = append(bad, row)
			}
		case err != nil:
			return 0, fmt.Errorf("read %s: %w", name, err)
		default:
			sum := sha256.Sum256([]byte(person.Type + "\x00" + person.ID))
			seen[[16]byte(sum[:16])] = struct{}{}
		}
	}
}

type broadcastUpload struct {
	oneBroadcast
	recipientFile
	Recipients string `arg:"" type:"existingfile" help:"${fileHelp}"`
}

// uploadReport is what became of an upload.
type uploadReport struct {
	Audience   int64 `json:"audience"`
	Duplicates int64 `json:"duplicates"`
	BadRows    int64 `json:"bad_rows"`
}

// Run uploads recipients.
func (c broadcastUpload) Run(e *env) error {
	if _, err := c.readPeople(c.Recipients); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := c.upload(e, client, broadcastPath(c.Broadcast), c.Recipients)
	if err != nil {
		return lines(err)
	}
	if c.JSON {
		_, err := fmt.Fprintln(e.stdout, string(answer))
		return err
	}
	var report uploadReport
	if err := json.Unmarshal(answer, &report); err != nil {
		return fmt.Errorf("read the answer of the upload: %w", err)
	}
	facts(e.stdout, "people", won(report.Audience), "named twice", won(report.Duplicates), "bad rows", won(report.BadRows))
	return nil
}

// upload sends a file to where it belongs as it is read, with a bar where somebody watches, and
// returns the server's answer.
func (f recipientFile) upload(e *env, client *apiclient.Client, path, name string) (json.RawMessage, error) {
	format, err := recipient.OfName(name)
	if err != nil {
		return nil, err
	}
	from, err := os.Open(name)
	if err != nil {
		return nil, fault.Field("recipients", "cannot be opened: %v", err)
	}
	defer from.Close()
	var body io.Reader = from
	if info, err := from.Stat(); err == nil && terminal(e.stderr) {
		bar := progressbar.NewOptions64(max(info.Size(), 1), progressbar.OptionSetWriter(e.stderr), progressbar.OptionShowBytes(true),
			progressbar.OptionSetDescription("upload"), progressbar.OptionClearOnFinish())
		reader := progressbar.NewReader(from, bar)
		body = &reader
	}
	path += "/recipients"
	if query := f.query(); len(query) > 0 {
		path += "?" + query.Encode()
	}
	var answer json.RawMessage
	err = client.Call(e.ctx, "PUT", path, body, &answer, apiclient.ContentType(format.MediaType()))
	return answer, err
}
