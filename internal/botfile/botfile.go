// Package botfile reads and writes a bot as a folder: bot.yaml, blocks/*.yaml, and knowledge.csv or
// knowledge.xlsx. docs/bots.md describes it.
package botfile

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/scenario"
)

// What a folder may be.
const (
	MaxBytes  = 64 << 20 // of all files together
	MaxFiles  = scenario.MaxBlocks + 10
	maxName   = 200 // bytes of a file's name with its folders
	botYAML   = "bot.yaml"
	blocksDir = "blocks"
)

var knowledgeFiles = []string{knowledgeCSV, knowledgeXLSX}

// Header is what bot.yaml says of the bot itself.
type Header struct {
	ID   string `json:"id"` // Kakao's, without the mark of the development channel
	Name string `json:"name"`
}

// Names reports whether the header is of a bot, on whichever of its channels.
func (h Header) Names(bot string) bool {
	return strings.TrimSuffix(h.ID, "!") == strings.TrimSuffix(bot, "!")
}

// Problem is something that is wrong with a file of a folder.
type Problem struct {
	File         string // with slashes, from the folder on; "" for the folder itself
	Line, Column int    // counted from 1; 0 where the file as a whole is wrong
	Path         string // in the file, such as "answer.outputs[0].simpleText.text", or ""
	Message      string // what is wrong, after the path
}

// String is file:line:column: path message, on one line that a terminal shows as it is.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
		}
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + " ")
	}
	return strings.Map(func(r rune) rune {
		if fault.OneLine(string(r)) {
			return r
		}
		return '\ufffd'
	}, b.String()+p.Message)
}

// Read reads a folder whole. It returns every problem of all files, sorted by file and place; content
// and header count only when there is none. Where more is wrong than a check tells the last problem is
// [scenario.MoreProblems]. It ends when ctx does: who waits for it looks at ctx first. Files that begin with a point, and notes that end in .md, are
// left aside; all else must be of the bot. Nothing of what it reads can make it panic.
func Read(ctx context.Context, fsys fs.FS, rules scenario.Rules) (scenario.Content, Header, []Problem) {
	r := &reader{ctx: ctx}
	var content scenario.Content
	var header Header
	for _, f := range r.list(fsys) {
		if r.over() {
			return content, header, r.sorted()
		}
		if slices.Contains(knowledgeFiles, f.name) {
			content.Knowledge, r.knowledge = f.knowledge(fsys), f
			continue
		}
		text, ok := f.text(fsys, maxYAML)
		switch {
		case f.name == botYAML:
			if ok {
				header, content.Servers = f.header(text)
			}
			rules.NoServers = rules.NoServers || f.root == nil
			r.bot = f
		default:
			var block scenario.Block
			if ok {
				block = f.block(text)
			}
			if f.root != nil {
				content.Blocks, r.blocks = append(content.Blocks, block), append(r.blocks, f)
			} else if id := idLine.FindSubmatch(text); id != nil {
				rules.Blocks = append(slices.Clip(rules.Blocks), string(id[1]))
			} else {
				rules.Partial = true
			}
		}
	}
	if !r.over() {
		for _, part := range rules.Check(ctx, content) {
			r.place(part)
		}
	}
	return content, header, r.sorted()
}

// idLine is the id of a block in a file that cannot be read, as most write it.
var idLine = regexp.MustCompile(`(?m)^["']?id["']?:[ \t]*["']?([A-Za-z0-9_-]+)`)

// reader gathers what is wrong while it reads.
type reader struct {
	ctx       context.Context
	problems  []Problem
	bytes     int  // of the problems
	full      bool // no more are told
	square    int  // of the names in each YAML file, together
	bot       *file
	blocks    []*file // of each block of the content
	knowledge *file
}

// file is one file of a folder, with what is wrong with it.
type file struct {
	*reader
	name  string
	root  *node    // nil when it cannot be read
	items items    // of a knowledge base
	wrong []string // paths that were complained of when it was read
}

func (f *file) add(at place, path, format string, args ...any) {
	if f.full {
		return
	}
	f.wrong = append(f.wrong, path)
	f.put(Problem{File: f.name, Line: at.line, Column: at.column, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) put(p Problem) {
	r.bytes += len(p.Path) + len(p.Message)
	if r.full = r.full || len(r.problems) == scenario.MaxProblems || r.bytes > scenario.MaxProblemBytes; !r.full {
		r.problems = append(r.problems, p)
	}
}

// over reports whether nothing more is to be read.
func (r *reader) over() bool { return r.full || r.ctx.Err() != nil }

// header reads bot.yaml.
func (f *file) header(text []byte) (Header, []scenario.Server) {
	var read struct {
		Header
		Servers []scenario.Server `json:"servers"`
	}
	if f.root = f.tree(text); f.root == nil {
		return Header{}, nil
	}
	f.decode(f.root, reflect.ValueOf(&read).Elem(), "")
	for field, err := range map[string]error{"id": bot.CheckID(read.ID), "name": bot.CheckName(read.Name)} {
		if err != nil {
			f.consequence(field, fault.MessageOf(err))
		}
	}
	return read.Header, read.Servers
}

// block is a block as its file has it.
type block struct {
	ID       string               `json:"id"`
	Name     string               `json:"name"`
	Kind     scenario.Kind        `json:"kind,omitempty"` // normal, when empty
	Says     []string             `json:"says,omitempty"`
	Event    string               `json:"event,omitempty"`
	Callback bool                 `json:"callback,omitempty"`
	DelayMS  int64                `json:"delay_ms,omitempty"`
	Asks     []scenario.Ask       `json:"asks,omitempty"`
	Answer   *kakao.Template      `json:"answer,omitempty"`
	Webhook  *scenario.Webhook    `json:"webhook,omitempty"`
	Handoff  bool                 `json:"handoff,omitempty"`
	Context  []kakao.ContextValue `json:"context,omitempty"`
	Data     map[string]any       `json:"data,omitempty"`
}

func (f *file) block(text []byte) scenario.Block {
	var b block
	if f.root = f.tree(text); f.root == nil {
		return scenario.Block{}
	}
	f.decode(f.root, reflect.ValueOf(&b).Elem(), "")
	if b.Kind == "" {
		b.Kind = scenario.Normal
	}
	const most = int64(time.Hour / time.Millisecond) // over any limit, and far from overflow
	return scenario.Block{
		ID: b.ID, Name: b.Name, Kind: b.Kind, Says: b.Says, Event: b.Event, Callback: b.Callback,
		Delay: time.Duration(min(max(b.DelayMS, -1), most)) * time.Millisecond, Asks: b.Asks, Answer: b.Answer,
		Webhook: b.Webhook, Handoff: b.Handoff, Context: b.Context, Data: b.Data,
	}
}

// consequence adds what a check says of a path, unless the path was complained of when it was read.
func (f *file) consequence(path, message string) {
	for _, wrong := range f.wrong {
		if within(wrong, path) || within(path, wrong) {
			return
		}
	}
	f.add(f.root.at(path), path, "%s", message)
}

// within reports whether a path is another or lies below it.
func within(path, other string) bool {
	rest, is := strings.CutPrefix(path, other)
	return is && (rest == "" || other == "" || rest[0] == '.' || rest[0] == '[')
}

// parts are the paths of a check by what they begin with.
var parts = regexp.MustCompile(`\b(blocks|servers|knowledge)\[(\d+)\]\.?([^ ";,]*)`)

// find returns the file that a path of a check is about, with the path and the place in it; nil for none.
func (r *reader) find(field string) (f *file, path string, at place) {
	found := parts.FindStringSubmatchIndex(field)
	if found == nil || found[0] > 0 {
		return nil, "", at
	}
	kind, path := field[:found[3]], strings.TrimPrefix(field[found[5]+1:], ".")
	i, err := strconv.Atoi(field[found[4]:found[5]])
	switch {
	case err != nil:
	case kind == "servers" && r.bot != nil && r.bot.root != nil:
		return r.bot, field, r.bot.root.at(field)
	case kind == "blocks" && i < len(r.blocks):
		return r.blocks[i], path, r.blocks[i].root.at(path)
	case kind == "knowledge" && r.knowledge != nil && i < len(r.knowledge.items.lines):
		path, at = r.knowledge.locate(i, path)
		return r.knowledge, path, at
	}
	return nil, "", at
}

// sameAs begins what a check says of two that may not be the same, with the path of the other.
const sameAs = "is the same as "

// place adds what a check found, with the file and the place in it.
func (r *reader) place(part fault.Part) {
	if part.Message == scenario.MoreProblems {
		r.full = true
		return
	}
	message := part.Message
	if other, is := strings.CutPrefix(message, sameAs); is { // elsewhere a path is a quotation
		message = sameAs + parts.ReplaceAllStringFunc(other, func(named string) string {
			f, _, at := r.find(named)
			if f == nil {
				return named
			}
			return fmt.Sprintf("%s:%d:%d", f.name, at.line, at.column)
		})
	}
	switch f, path, at := r.find(part.Field); {
	case f == nil:
		r.put(Problem{Path: part.Field, Message: message})
	case f.root == nil: // the rows of a table that were complained of are not checked
		f.add(at, path, "%s", message)
	default:
		f.consequence(path, message)
	}
}

// sorted returns the problems by file and place, each once, and last that there are more.
func (r *reader) sorted() []Problem {
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
	told := slices.Compact(r.problems)
	if r.full {
		told = append(told, Problem{Message: scenario.MoreProblems})
	}
	return told
}
