package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/schollz/progressbar/v3"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/recipient"
)

// recipientFile is a file of recipients and how it is read.
type recipientFile struct {
	Map         string `placeholder:"id:NAME,type:NAME,properties:NAME|NAME" help:"Which columns of a .csv or .xlsx mean what; left out, they go by their names."`
	SkipBadRows bool   `help:"Leave bad rows out."`
	Exclude     string `placeholder:"BROADCAST" help:"Leave out who was reached by this broadcast of the bot."`
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
	if f.Exclude != "" {
		query.Set("exclude", f.exclusion())
	}
	return query
}

// exclusion is whom a call excludes, as the API has it.
func (f recipientFile) exclusion() string {
	if f.Exclude == "" || strings.HasPrefix(f.Exclude, "broadcast:") {
		return f.Exclude
	}
	return "broadcast:" + f.Exclude
}

// maxBadRows is how many bad rows are told one by one.
const maxBadRows = 100

// readPeople reads a whole file of recipients as the server will, and counts the people, each once
// where he is named twice: 16 bytes of memory a person. Bad rows are an error that names them,
// unless they are to be left out. So is, where there is a text, somebody for whom it cannot be filled in.
func (f recipientFile) readPeople(name string, text *broadcast.Personal) (found uploadReport, err error) {
	file, done, err := f.open(name)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, done()) }()
	rows := broadcast.Rows(file)
	if text != nil {
		if rows, err = text.Over(file); err != nil {
			return found, err
		}
	}
	seen := map[[16]byte]struct{}{}
	var bad []error
	more := int64(0)
	for {
		person, err := rows.Next()
		var row *broadcast.BadRow
		switch {
		case errors.Is(err, io.EOF):
			if len(bad) == 0 || f.SkipBadRows {
				return found, nil
			}
			if more > 0 {
				bad = append(bad, fmt.Errorf("and %s more", won(more)))
			}
			first := fmt.Errorf("%s has bad rows; mend them, or leave them out with --skip-bad-rows", name)
			return found, errors.Join(append([]error{first}, bad...)...)
		case errors.As(err, &row):
			found.BadRows++
			if len(bad) == maxBadRows {
				more++
			} else {
				bad = append(bad, row)
			}
		case err != nil:
			return found, fmt.Errorf("read %s: %w", name, err)
		default:
			sum := sha256.Sum256([]byte(person.Type + "\x00" + person.ID))
			key := [16]byte(sum[:16])
			if _, twice := seen[key]; twice {
				found.Duplicates++
				break
			}
			seen[key] = struct{}{}
			found.Audience++
		}
	}
}

// upload sends a file of recipients to where it belongs, and returns the server's answer. A dry run is
// answered with what would become of it.
func (f recipientFile) upload(e *env, client *apiclient.Client, path, name string, dry bool) (json.RawMessage, error) {
	query := f.query()
	if dry {
		query.Set("dry_run", "true")
	}
	return sendFile(e, client, "PUT", path+"/recipients", query, name)
}

// sendFile sends a file of people as it is read, with a bar where somebody watches, and returns the
// server's answer.
func sendFile(e *env, client *apiclient.Client, method, path string, query url.Values, name string, options ...apiclient.Option) (json.RawMessage, error) {
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
			progressbar.OptionSetDescription("upload"), progressbar.OptionClearOnFinish(),
			progressbar.OptionOnCompletion(func() { fmt.Fprintln(e.stderr, "sent; the server takes it over") }))
		reader := progressbar.NewReader(from, bar)
		body = &reader
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var answer json.RawMessage
	err = client.Call(e.ctx, method, path, body, &answer, append(options, apiclient.ContentType(format.MediaType()))...)
	return answer, err
}

// fromAudience has a broadcast take the people of a named audience, however long that takes.
func (f recipientFile) fromAudience(e *env, client *apiclient.Client, id, audience string, dry bool) (json.RawMessage, error) {
	body, err := json.Marshal(map[string]any{"audience": audience, "exclude": f.exclusion(), "dry_run": dry, "skip_bad_rows": f.SkipBadRows})
	if err != nil {
		return nil, err
	}
	var answer json.RawMessage
	err = client.Call(e.ctx, "POST", broadcastPath(id)+"/recipients/from-audience", bytes.NewReader(body), &answer, apiclient.ContentType("application/json"))
	return answer, err
}

// uploadReport is what became of an upload, or would.
type uploadReport struct {
	Audience   int64        `json:"audience"`
	Duplicates int64        `json:"duplicates"`
	Excluded   int64        `json:"excluded"`
	Warning    string       `json:"warning"`
	Suppressed int64        `json:"suppressed"`
	BadRows    int64        `json:"bad_rows"`
	Problems   []droppedRow `json:"problems"`
	Dropped    []droppedRow `json:"dropped"`
}

// droppedRow is a row that is left out.
type droppedRow struct {
	Line    int    `json:"line"`
	Column  string `json:"column"`
	Message string `json:"message"`
}

func (r uploadReport) print(e *env) {
	excluded := ""
	if r.Excluded > 0 {
		excluded = won(r.Excluded)
	}
	suppressed := ""
	if r.Suppressed > 0 {
		suppressed = won(r.Suppressed) + " of the people would be left out now: they have refused it, or not agreed to it"
	}
	facts(e.stdout, "people", won(r.Audience), "named twice", won(r.Duplicates), "excluded", excluded, "warning", r.Warning, "suppressed", suppressed, "bad rows", won(r.BadRows))
	printRows(e, append(r.Problems, r.Dropped...))
}

// printRows prints rows that are left out.
func printRows(e *env, rows []droppedRow) {
	for _, row := range rows {
		where := strings.TrimSuffix(fmt.Sprintf("line %d, %s", row.Line, row.Column), ", ")
		fmt.Fprintln(e.stdout, plain(where+": "+row.Message))
	}
}

// show prints the answer of an upload. A dry run of a file that would be refused is an error.
func (f recipientFile) show(e *env, r remote, answer json.RawMessage, dry bool) error {
	var report uploadReport
	if err := json.Unmarshal(answer, &report); err != nil {
		return fmt.Errorf("read the answer of the upload: %w", err)
	}
	if r.JSON {
		fmt.Fprintln(e.stdout, string(answer))
	} else {
		report.print(e)
	}
	return tried(e, r, dry, report.BadRows, f.SkipBadRows)
}

// tried ends the print of a dry run. One of a file that would be refused is an error.
func tried(e *env, r remote, dry bool, badRows int64, skip bool) error {
	switch {
	case dry && badRows > 0 && !skip:
		return fmt.Errorf("%s bad rows; mend them, or leave them out with --skip-bad-rows", won(badRows))
	case dry && !r.JSON:
		fmt.Fprintln(e.stdout, "nothing was stored")
	}
	return nil
}

// put uploads a file to where it belongs and shows what became of it. The file is read before anything is
// sent, so that a bad one is found out at once; a dry run leaves that to the server.
func (f recipientFile) put(e *env, r remote, path, name string, dry bool) error {
	if !dry {
		if _, err := f.readPeople(name, nil); err != nil {
			return err
		}
	}
	client, err := r.client()
	if err != nil {
		return err
	}
	answer, err := f.upload(e, client, path, name, dry)
	if err != nil {
		return lines(err)
	}
	return f.show(e, r, answer, dry)
}

// oneSource says that a file or an audience is given, and not both.
func oneSource(file, audience string) error {
	if (file == "") == (audience == "") {
		return fault.Field("recipients", "come from a file, or from an audience with --audience: give one of them")
	}
	return nil
}

type broadcastUpload struct {
	oneBroadcast
	recipientFile
	Recipients string `arg:"" optional:"" type:"existingfile" help:"${fileHelp}"`
	Audience   string `help:"Named audience, in place of a file."`
	DryRun     bool   `help:"Say what would become of it, and store nothing."`
}

// Run uploads recipients.
func (c broadcastUpload) Run(e *env) error {
	if err := oneSource(c.Recipients, c.Audience); err != nil {
		return err
	}
	if c.Audience == "" {
		return c.put(e, c.remote, broadcastPath(c.Broadcast), c.Recipients, c.DryRun)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := c.fromAudience(e, client, c.Broadcast, c.Audience, c.DryRun)
	if err != nil {
		return err
	}
	return c.show(e, c.remote, answer, c.DryRun)
}
