package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rivo/uniseg"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
)

// remote is what every command has that talks to a running server.
type remote struct {
	URL   string `name:"url" env:"MALGIL_URL" default:"http://127.0.0.1:8080" help:"Where the server answers."`
	Token string `env:"MALGIL_TOKEN" secret:"" help:"API token."`
	JSON  bool   `help:"Print the server's answer as JSON."`
	Why   string `name:"reason" help:"Why, for the audit log; one line."`
}

// client returns a client with the token of the command.
func (r remote) client() (*apiclient.Client, error) {
	if r.Token == "" {
		return nil, fault.Field("MALGIL_TOKEN", "is missing; the first one is made with: malgil token create NAME --first")
	}
	return apiclient.New(r.URL, r.Token), nil
}

// call makes one call and prints its answer: as JSON, or with show once it was read into out.
// show is nil where nothing is to be said.
func (r remote) call(e *env, method, path string, in, out any, show func(), options ...apiclient.Option) error {
	client, err := r.client()
	if err != nil {
		return err
	}
	if method != "GET" {
		options = append(options, apiclient.Reason(r.Why))
	}
	if out == nil {
		err := client.Call(e.ctx, method, path, in, nil, options...)
		if err == nil && show != nil && !r.JSON {
			show()
		}
		return lines(err)
	}
	var answer json.RawMessage
	if err := client.Call(e.ctx, method, path, in, &answer, options...); err != nil {
		return lines(err)
	}
	if r.JSON {
		_, err := fmt.Fprintln(e.stdout, string(answer))
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	if show != nil {
		show()
	}
	return nil
}

// lines turns an error that names several things into one of several lines.
func lines(err error) error {
	var p *apiclient.Problem
	if !errors.As(err, &p) || len(p.Errors) < 2 {
		return err
	}
	first := p.Errors[0]
	if title, _, listed := strings.Cut(p.Error(), ": "+first.Location+" "+first.Message+"; "); listed {
		err = errors.New(title) // what follows is told below, a line each
	}
	all := []error{err}
	for _, wrong := range p.Errors {
		where := wrong.Location
		switch {
		case wrong.File != "":
			where = strings.TrimSuffix(fmt.Sprintf("%s:%d:%s", wrong.File, wrong.Line, wrong.Column), ":0:") + ": " + strings.TrimPrefix(where, "body.")
		case wrong.Line > 0:
			where = strings.TrimSuffix(fmt.Sprintf("line %d, %s", wrong.Line, wrong.Column), ", ")
		}
		all = append(all, fmt.Errorf("%s: %s", where, wrong.Message))
	}
	return errors.Join(all...)
}

// list is what a command has that prints a list.
type list struct {
	Limit int `default:"50" help:"Most entries to print; 0 for all."`
}

// maxPage is the most entries of one page of the API.
const maxPage = 200

// listAll reads the pages of a list until the limit and prints them: as one JSON object, or as a
// table with the columns that row returns for each entry.
func listAll[T any](r remote, e *env, l list, path string, header []string, row func(T) []string) error {
	client, err := r.client()
	if err != nil {
		return err
	}
	base, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	all := []json.RawMessage{}
	for {
		size := maxPage
		if l.Limit > 0 {
			size = min(size, l.Limit-len(all))
		}
		values.Set("limit", fmt.Sprint(size))
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next_cursor"`
		}
		if err := client.Call(e.ctx, "GET", base+"?"+values.Encode(), nil, &page); err != nil {
			return err
		}
		all = append(all, page.Items...)
		if page.Next == "" || (l.Limit > 0 && len(all) >= l.Limit) {
			break
		}
		values.Set("cursor", page.Next)
	}
	if r.JSON {
		return json.NewEncoder(e.stdout).Encode(map[string]any{"items": all})
	}
	rows := make([][]string, 0, len(all))
	for _, text := range all {
		var one T
		if err := json.Unmarshal(text, &one); err != nil {
			return fmt.Errorf("read an entry of %s: %w", base, err)
		}
		rows = append(rows, row(one))
	}
	return table(e.stdout, header, rows)
}

// table prints rows in columns under a header.
func table(w io.Writer, header []string, rows [][]string) error {
	return columns(w, append([][]string{header}, rows...))
}

// facts prints names and values, one a line; an empty value is left out.
func facts(w io.Writer, pairs ...string) {
	var rows [][]string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			rows = append(rows, pairs[i:i+2])
		}
	}
	_ = columns(w, rows) // as any print to a terminal
}

// plain replaces what a terminal would act upon: what Kakao or an issuer says is shown, not obeyed.
func plain(cell string) string {
	return strings.Map(func(r rune) rune {
		if fault.OneLine(string(r)) {
			return r
		}
		return '\uFFFD'
	}, cell)
}

// clip cuts a text that people wrote to what fits in a column; --json has it whole.
func clip(text string) string {
	const cells = 40
	if uniseg.StringWidth(text) <= cells {
		return text
	}
	kept, width := 0, 1 // of the dots
	for letters := uniseg.NewGraphemes(text); letters.Next(); {
		if width += letters.Width(); width > cells {
			break
		}
		_, kept = letters.Positions()
	}
	return text[:kept] + "…"
}

// columns prints rows whose cells stand below each other, also where Korean takes two places a
// letter.
func columns(w io.Writer, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			cell = plain(cell)
			row[i] = cell
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)+2)
		}
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// won writes an amount with thousands apart: "110,000".
func won(amount int64) string {
	digits := fmt.Sprint(amount)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// when writes a time as it is in Korea, with the zone; nothing for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(clock.Seoul).Format("2006-01-02 15:04:05 MST")
}

// once is what a command has that moves money or messages.
type once struct {
	Key    string `help:"Idempotency-Key; a command that was cut short is repeated with the key that it told. Left out, a new one."`
	DryRun bool   `help:"Say what would happen, and do nothing."`
}

// key returns the key of a command, and says which to repeat it with when it was cut short.
func (o once) key() (key string, told func(error) error) {
	key = o.Key
	if key == "" {
		key = rand.Text()
	}
	return key, func(err error) error {
		var p *apiclient.Problem
		if err == nil || (errors.As(err, &p) && p.Status < 500) {
			return err
		}
		return fmt.Errorf("%w\nnobody knows whether it was done: repeat the command with --key %s", err, key)
	}
}

// terminal reports whether somebody watches a stream.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
