package botfile

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What a YAML file may be. The parser takes time by the square of the names in a file, so those of a folder
// are bounded too: by the sum of the squares.
const (
	maxYAML   = 1 << 20 // bytes
	maxTokens = 100_000
	maxNames  = 5_000
	maxSquare = 20 * maxNames * maxNames
	maxDepth  = 40 // levels of lists and mappings; the deepest answer has 10
)

// place is where something stands in a file, both counted from 1.
type place struct{ line, column int }

// node is a YAML value with its place.
type node struct {
	place
	value   any    // string, float64, int64, bool, nil; list or mapping; or what cannot be used
	literal string // of a number or a bool
}

type (
	list    []*node
	mapping []field
)

type field struct {
	place // of its name
	name  string
	value *node
}

// get returns the value of a field, nil when there is none.
func (m mapping) get(name string) *node {
	for _, f := range m {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// tree reads a YAML file. The root is nil when the file cannot be read; what is wrong is added to the
// problems.
func (f *file) tree(text []byte) (root *node) {
	defer func() {
		if p := recover(); p != nil {
			f.add(place{1, 1}, "", "cannot be read as YAML")
			root = nil
		}
	}()
	text = []byte(strings.TrimPrefix(string(text), "\ufeff"))
	switch {
	case len(text) > maxYAML:
		f.add(place{1, 1}, "", "is %d bytes, at most %d are read", len(text), maxYAML)
		return nil
	case !utf8.Valid(text):
		f.add(place{1 + strings.Count(string(text[:invalidAt(text)]), "\n"), 1}, "", "is not UTF-8; save the file as UTF-8")
		return nil
	}
	tokens := lexer.Tokenize(string(text))
	if at, wrong := f.tooMuch(tokens); wrong != "" {
		f.add(at, "", "%s", wrong)
		return nil
	}
	f.lostWords(tokens)
	parsed, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		f.addSyntax(err)
		return nil
	}
	for _, document := range parsed.Docs {
		if document.Body == nil || document.Body.Type() == ast.CommentType {
			continue
		}
		if root != nil {
			f.add(placeOf(document.Body), "", "is a second document in the file; make a file of it")
			break
		}
		root = f.node(document.Body, "", 0)
	}
	if root == nil {
		f.add(place{1, 1}, "", "is empty")
	}
	return root
}

func invalidAt(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(text)
}

// tooMuch finds where a file has more of anything than is read, before a parser goes down into it. Levels
// are counted by brackets and by marks on one line; those by how far a line is set in are counted later.
func (f *file) tooMuch(tokens token.Tokens) (at place, wrong string) {
	brackets, marks, line, names := 0, 0, 0, 0
	for i, t := range tokens {
		at = place{t.Position.Line, t.Position.Column}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			brackets++
		case token.MappingEndType, token.SequenceEndType:
			brackets = max(0, brackets-1)
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType, token.AnchorType, token.TagType, token.AliasType:
			if at.line != line {
				line, marks = at.line, 0
			}
			marks++
		}
		if t.Type == token.MappingValueType {
			names++
		}
		switch {
		case brackets > maxDepth || brackets == 0 && marks > maxDepth:
			return at, tooDeep
		case names > maxNames || i >= maxTokens:
			return at, fmt.Sprintf("is longer than any block: at most %d names and %d pieces are read of a file", maxNames, maxTokens)
		}
	}
	if f.square += names * names; f.square > maxSquare {
		return place{1, 1}, "is one of too many long files; shorten them"
	}
	return place{}, ""
}

// lostWords finds comments that were meant as words to fill in: in YAML a # behind a space begins a comment.
func (f *file) lostWords(tokens token.Tokens) {
	for _, t := range tokens {
		if t.Type == token.CommentType && strings.HasPrefix(t.Value, "{") {
			f.put(Problem{File: f.name, Line: t.Position.Line, Column: t.Position.Column,
				Message: "#{ begins a comment here; put the whole text in quotes, or a space after the # of a comment"})
		}
	}
}

var tooDeep = fmt.Sprintf("nests deeper than %d levels", maxDepth)

func placeOf(n ast.Node) place {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return place{t.Position.Line, t.Position.Column}
	}
	return place{1, 1}
}

// addSyntax adds an error of the parser, at its place.
func (f *file) addSyntax(err error) {
	var syntax yaml.Error
	at, message := place{1, 1}, "cannot be read"
	if errors.As(err, &syntax) {
		message = syntax.GetMessage()
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			at = place{t.Position.Line, t.Position.Column}
			if strings.HasPrefix(strings.TrimLeft(t.Origin, "\r\n "), "\t") {
				message = "the line is set in with a tab; use spaces"
			}
		}
	}
	f.add(at, "", "is not YAML: %s", message)
}

// node turns what the parser read into values. Anchors, aliases and tags are refused: a file means what
// it says, and nothing in it grows.
func (f *file) node(n ast.Node, path string, depth int) *node {
	made := &node{place: placeOf(n)}
	if depth > maxDepth {
		f.add(made.place, "", "%s", tooDeep)
		made.value = unread{}
		return made
	}
	switch n := n.(type) {
	case *ast.StringNode:
		made.value = n.Value
		if n.Token.Type == token.StringType && numeral.MatchString(n.Value) { // such as 1e3
			made.number(n.Value)
		}
	case *ast.LiteralNode:
		made.value = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		made.number(n.GetToken().Value)
	case *ast.BoolNode:
		made.value, made.literal = n.Value, n.Token.Value
	case *ast.NullNode:
	case *ast.SequenceNode:
		items := make(list, 0, len(n.Values))
		for i, item := range n.Values {
			items = append(items, f.node(item, path+"["+strconv.Itoa(i)+"]", depth+1))
		}
		made.value = items
	case *ast.MappingNode:
		made.value = f.mapping(n.Values, path, depth)
		if len(n.Values) > 0 && !n.IsFlowStyle {
			made.place = placeOf(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		made.value = f.mapping([]*ast.MappingValueNode{n}, path, depth)
		made.place = placeOf(n.Key)
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		f.add(made.place, path, "has an anchor, an alias or a tag (& * !); write out what is meant, or put text that begins so in quotes")
		made.value = unread{}
	default:
		f.add(made.place, path, "is nothing that can be read here; write it in quotes")
		made.value = unread{}
	}
	return made
}

// numeral is a number as JSON has it. What YAML takes for one beside that, as 010 and 1_000, is mostly meant
// as text.
var numeral = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func (n *node) number(literal string) {
	n.literal, n.value = literal, odd{}
	if !numeral.MatchString(literal) {
		return
	}
	if whole, err := strconv.ParseInt(literal, 10, 64); err == nil {
		n.value = whole
	} else if value, err := strconv.ParseFloat(literal, 64); err == nil {
		n.value = value
	}
}

// odd stands for a number that is none in JSON.
type odd struct{}

// unread stands for a value that has been complained of.
type unread struct{}

func (f *file) mapping(values []*ast.MappingValueNode, path string, depth int) mapping {
	fields := make(mapping, 0, len(values))
	for _, v := range values {
		at := placeOf(v.Key)
		name, ok := "", false
		switch key := v.Key.(type) {
		case *ast.StringNode:
			name, ok = key.Value, true
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
			name, ok = key.GetToken().Value, true
		}
		below := join(path, name)
		switch {
		case !ok:
			f.add(at, path, "has a name that is no text; write it in quotes, without & * ! ? and <<")
		case fields.get(name) != nil:
			f.add(at, below, "stands twice")
		default:
			fields = append(fields, field{place: at, name: name, value: f.node(v.Value, below, depth+1)})
		}
	}
	return fields
}

// at finds the place of a path: of the last part of it that is there.
func (n *node) at(path string) place {
	found := n
	for path != "" && found != nil {
		var next *node
		switch value := found.value.(type) {
		case mapping:
			path = strings.TrimPrefix(path, ".")
			longest := "" // names may have points in them
			for _, f := range value {
				rest, fits := strings.CutPrefix(path, f.name)
				if fits && (rest == "" || rest[0] == '.' || rest[0] == '[') && (next == nil || len(f.name) > len(longest)) {
					next, longest = f.value, f.name
				}
			}
			path = path[len(longest):]
		case list:
			var i int
			if count, _ := fmt.Sscanf(path, "[%d]", &i); count == 1 && i >= 0 && i < len(value) {
				next = value[i]
				_, path, _ = strings.Cut(path, "]")
			}
		}
		if next == nil {
			break
		}
		found = next
	}
	return found.place
}
