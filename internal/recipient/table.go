package recipient

import (
	"maps"
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sheet"
)

// Names of columns, as [sheet.Folded] has them. Those of the first
// list come before those of the second, which may as well be properties: a column is one of these
// only where none is of those.
var (
	idNames   = []string{"id", "수신자id"}
	typeNames = []string{"type", "수신자유형"}

	moreIDNames   = []string{"수신자아이디", "수신자키", "수신인id", "사용자id", "사용자키", "아이디", "recipientid"}
	moreTypeNames = []string{"수신자타입", "수신자구분", "수신인유형", "id유형", "아이디유형", "키유형", "recipienttype"}
)

// table turns rows of cells into people.
type table struct {
	names    []string
	keys     []string // of properties; the names, unless they are fields
	typeAt   int      // -1 for none
	idAt     int
	property []bool
}

// newTable reads a header, which stands in a line of the file. It is Invalid when there is no column
// of ids, and when names that count are missing or stand twice.
func newTable(line int, header []string, o Options) (*table, error) {
	m := o.Columns
	wrong := func(format string, args ...any) error {
		return fault.Field("recipients", "line %d"+format, append([]any{line}, args...)...)
	}
	t := &table{names: make([]string, len(header)), property: make([]bool, len(header))}
	for i, name := range header {
		t.names[i] = strings.TrimSpace(name)
	}
	var err error
	if t.idAt, err = t.find(m.ID, idNames, moreIDNames, wrong); err != nil {
		return nil, err
	}
	if t.typeAt, err = t.find(m.Type, typeNames, moreTypeNames, wrong); err != nil {
		return nil, err
	}
	switch {
	case t.idAt < 0:
		return nil, wrong(" has no column id; it names the columns, such as type,id; or say which it is with map=id:NAME")
	case t.idAt == t.typeAt:
		return nil, fault.Field("query.map", "column %q cannot be both id and type", m.ID)
	case o.Fields != nil:
		return t, t.takeFields(o, wrong)
	}
	t.keys = t.names
	for i, name := range t.names {
		if i == t.idAt || i == t.typeAt {
			continue
		}
		if m.Properties != nil && !slices.Contains(m.Properties, name) {
			continue
		}
		if name == "" {
			return nil, wrong(": column %d has no name", i+1)
		}
		if slices.Contains(t.names[:i], name) {
			return nil, wrong(": column %q stands twice", name)
		}
		t.property[i] = true
	}
	for _, name := range m.Properties {
		switch at := slices.Index(t.names, name); {
		case at < 0:
			return nil, t.missing(name)
		case at == t.idAt || at == t.typeAt:
			return nil, fault.Field("query.map", "column %q is the id or the type, and cannot be a property", name)
		}
	}
	return t, nil
}

// takeFields finds the columns of the fields, and refuses others unless it is stated which are which.
func (t *table) takeFields(o Options, wrong func(string, ...any) error) error {
	t.keys = make([]string, len(t.names))
	fields := slices.Sorted(maps.Keys(o.Fields))
	for _, field := range fields {
		at, err := t.find(o.Columns.Fields[field], []string{sheet.Folded(field)}, o.Fields[field], wrong)
		switch {
		case err != nil:
			return err
		case at < 0:
		case at == t.idAt || at == t.typeAt || t.property[at]:
			return fault.Field("query.map", "column %q cannot be %s and something else", t.names[at], field)
		default:
			t.keys[at], t.property[at] = field, true
		}
	}
	for i, name := range t.names {
		if i != t.idAt && i != t.typeAt && !t.property[i] && !o.Columns.Stated() {
			return wrong(": column %q is not known; there are id, type, %s; say with map=%s:NAME which columns count", name, strings.Join(fields, ", "), fields[0])
		}
	}
	return nil
}

// find returns the place of a column: the one that is stated, or the one with a name that is known;
// -1 for none.
func (t *table) find(stated string, first, more []string, wrong func(string, ...any) error) (int, error) {
	is := func(name string) bool { return name == stated }
	lists := []func(string) bool{is}
	if stated == "" {
		lists = []func(string) bool{
			func(name string) bool { return slices.Contains(first, sheet.Folded(name)) },
			func(name string) bool { return slices.Contains(more, sheet.Folded(name)) },
		}
	}
	for _, fits := range lists {
		at := slices.IndexFunc(t.names, fits)
		if at < 0 {
			continue
		}
		if again := slices.IndexFunc(t.names[at+1:], fits); again >= 0 {
			return at, wrong(": column %q stands twice", t.names[at+1+again])
		}
		return at, nil
	}
	if stated != "" {
		return -1, t.missing(stated)
	}
	return -1, nil
}

func (t *table) missing(name string) error {
	const most = 20 // names that are told
	known := t.names
	if len(known) > most {
		known = append(slices.Clone(known[:most]), "…")
	}
	return fault.Field("query.map", "names the column %q, which the file does not have; it has %s", name, strings.Join(known, ", "))
}

// person reads a row. cells may be fewer than there are columns; the rest is empty.
func (t *table) person(cells []string, line int) (broadcast.Recipient, error) {
	person := broadcast.Recipient{Type: defaultType}
	for i, cell := range cells {
		cell = strings.TrimSpace(cell)
		switch {
		case i == t.idAt:
			person.ID = cell
		case i == t.typeAt:
			person.Type = broadcast.CanonicalType(cell)
		case cell != "" && t.property[i]:
			if person.Properties == nil {
				person.Properties = make(map[string]string, len(cells))
			}
			person.Properties[t.keys[i]] = cell
		}
	}
	if len(cells) <= t.typeAt {
		person.Type = ""
	}
	return person, checked(person, line)
}

// checked is what is wrong with a person of a line.
func checked(person broadcast.Recipient, line int) error {
	if err := person.Check(); err != nil {
		return &broadcast.BadRow{Line: line, Column: err.Field, Reason: err.Message}
	}
	return nil
}
