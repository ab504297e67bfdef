package broadcast

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/word"
)

// Personal is what an order says with words that are filled in: #{name}, or #{name|a default}. A literal
// "#{" is written "#{{".
//
// Everything is filled in before it is stored, so what is stored is what is sent. Event data and params
// are the same for everybody in a request, so they take Variables alone; a person's own words travel in
// his properties.
type Personal struct {
	Variables map[string]string `json:"variables,omitempty"` // the same for everybody
	// Properties are filled in for each person from his own properties, then from Variables, and sent as
	// his properties.
	Properties map[string]string `json:"properties,omitempty"`
}

// check says what is wrong with variables and properties, apart from what they leave missing.
func (p Personal) check() error {
	size := 0
	for name, value := range p.Variables {
		size += len(name) + len(value)
		if wrong := word.WrongName(name); wrong != "" {
			return fault.Field("variables", "has %q, whose name %s", name, wrong)
		}
		if strings.Contains(value, word.Mark) {
			return fault.Field("variables."+name, "is text that others take in; it names no variables itself")
		}
	}
	switch {
	case len(p.Variables) > maxProperties:
		return fault.Field("variables", "must be at most %d", maxProperties)
	case size > maxPropertyBytes:
		return fault.Field("variables", "must be at most %d bytes together", maxPropertyBytes)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Properties)) {
		if err := unfilled("properties."+name, name); err != nil {
			return err
		}
	}
	if err := (Recipient{Type: recipientTypes[0], ID: "anybody", Properties: p.Properties}).Check(); err != nil {
		return err
	}
	_, err := p.filler()
	return err
}

// notFilled says of a name that words do not stand in it.
const notFilled = "is a name that holds #{, and words are filled in in values alone: choose another"

// unfilled is Invalid for a name or a key that holds words: it would go out as it is written.
func unfilled(field, name string) error {
	if strings.Contains(name, word.Mark) {
		return fault.Field(field, notFilled)
	}
	return nil
}

// message fills event data and params in. It is Invalid, with the field, where they name what is not the
// same for everybody, and where words stand in a name.
func (p Personal) message(m Message) (Message, error) {
	if err := unfilled("event.name", m.Event); err != nil {
		return m, err
	}
	data := maps.Clone(m.Data)
	for _, key := range slices.Sorted(maps.Keys(m.Data)) {
		if err := unfilled("event.data."+key, key); err != nil {
			return m, err
		}
		text, err := p.shared("event.data."+key, m.Data[key])
		if err != nil {
			return m, err
		}
		data[key] = text
	}
	params := maps.Clone(m.Params)
	for _, key := range slices.Sorted(maps.Keys(m.Params)) {
		if err := unfilled("params."+key, key); err != nil {
			return m, err
		}
		value, err := p.sharedValue("params."+key, m.Params[key])
		if err != nil {
			return m, err
		}
		params[key] = value
	}
	m.Data, m.Params = data, params
	return m, m.fits()
}

// maxMessage is how much event data and params may be, filled in: what an order may be as a whole.
const maxMessage = 256 << 10

// fits is Invalid when a message has become too long by what was filled in.
func (m Message) fits() error {
	size := lengthOf(m.Params)
	for _, text := range m.Data {
		size += len(text)
	}
	if size > maxMessage {
		return fault.Field("variables", "make the message %d bytes long, which may have %d; shorten them, or name them less often", size, maxMessage)
	}
	return nil
}

// lengthOf is how long the texts of a JSON value are.
func lengthOf(value any) (n int) {
	switch v := value.(type) {
	case string:
		return len(v)
	case []any:
		for _, one := range v {
			n += lengthOf(one)
		}
	case map[string]any:
		for _, one := range v {
			n += lengthOf(one)
		}
	}
	return n
}

// sharedValue fills every text of a JSON value in.
func (p Personal) sharedValue(field string, value any) (any, error) {
	switch v := value.(type) {
	case string:
		return p.shared(field, v)
	case []any:
		filled := make([]any, len(v))
		for i := range v {
			var err error
			if filled[i], err = p.sharedValue(field+"["+strconv.Itoa(i)+"]", v[i]); err != nil {
				return nil, err
			}
		}
		return filled, nil
	case map[string]any:
		filled := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			err := unfilled(field+"."+key, key)
			if err != nil {
				return nil, err
			}
			if filled[key], err = p.sharedValue(field+"."+key, v[key]); err != nil {
				return nil, err
			}
		}
		return filled, nil
	}
	return value, nil
}

// shared fills in a text that is the same for everybody. A default alone is not enough: who wrote it may
// have meant each person's own.
func (p Personal) shared(field, text string) (string, error) {
	if !strings.Contains(text, word.Mark) {
		return text, nil
	}
	t, wrong := word.Parse(text)
	if wrong != "" {
		return "", fault.Field(field, "%s", wrong)
	}
	for _, part := range t {
		if _, known := p.Variables[part.Name]; part.Name != "" && !known {
			return "", fault.Field(field, "names #{%s}, which is not in variables. It is the same for everybody in a request: "+
				"give the value in variables, or put the text into properties, which are filled in for each person", part.Name)
		}
	}
	value := func(name string) string { return p.Variables[name] }
	if n := t.Len(value); n > maxMessage {
		return "", fault.Field(field, "is %d bytes long when it is filled in, and may be %d; name its words less often", n, maxMessage)
	}
	filled, missing := t.Fill(value)
	if missing != "" {
		return "", fault.Field(field, "names #{%s}, which is empty in variables and has no default", missing)
	}
	return filled, nil
}

// filler fills in what people are sent of their own. The zero value fills in what their own properties
// name. It is safe for concurrent use.
type filler struct {
	variables map[string]string
	names     []string // of the properties of an order, in order
	templates []word.Text
}

// filler is Invalid, with the field, when a property cannot be read.
func (p Personal) filler() (*filler, error) {
	f := &filler{variables: p.Variables, names: slices.Sorted(maps.Keys(p.Properties))}
	for _, name := range f.names {
		t, wrong := word.Parse(p.Properties[name])
		if wrong != "" {
			return nil, fault.Field("properties."+name, "%s", wrong)
		}
		f.templates = append(f.templates, t)
	}
	return f, nil
}

// fill returns a person with his properties filled in, which it changes: first those of his own that name others of
// them, then those of the order. bad says what is missing or breaks a limit then; its line is the caller's to say.
func (f *filler) fill(person Recipient) (filled Recipient, bad *BadRow) {
	if len(f.names) == 0 && !hasMark(person.Properties) {
		return person, nil
	}
	if person.Type == Room && len(f.names) > 0 {
		return person, &BadRow{Column: "type", Reason: "is a group room, which has no properties to fill in; send to rooms in a broadcast without properties"}
	}
	if hasMark(person.Properties) {
		if person.Properties, bad = f.own(person); bad != nil {
			return person, bad
		}
	}
	var few [4]string // most orders have
	texts := few[:0]
	for i, name := range f.names {
		text, bad := f.text(name, f.templates[i], person.Properties)
		if bad != nil {
			return person, bad
		}
		texts = append(texts, text)
	}
	if person.Properties == nil {
		person.Properties = make(map[string]string, len(texts))
	}
	for i, name := range f.names {
		person.Properties[name] = texts[i]
	}
	if err := person.Check(); err != nil {
		return person, &BadRow{Column: err.Field, Reason: err.Message + ", filled in"}
	}
	return person, nil
}

// own returns the properties of a person with those filled in that name others of them.
func (f *filler) own(person Recipient) (own map[string]string, bad *BadRow) {
	own = maps.Clone(person.Properties)
	for _, name := range slices.Sorted(maps.Keys(person.Properties)) {
		if strings.Contains(name, word.Mark) {
			return nil, &BadRow{Column: name, Reason: notFilled}
		}
		text := person.Properties[name]
		if !strings.Contains(text, word.Mark) {
			continue
		}
		t, wrong := word.Parse(text)
		if wrong != "" {
			return nil, &BadRow{Column: name, Reason: wrong}
		}
		for _, part := range t {
			if part.Name != "" && strings.Contains(person.Properties[part.Name], word.Mark) {
				return nil, &BadRow{Column: name, Reason: fmt.Sprintf("names #{%s}, which is to be filled in itself", part.Name)}
			}
		}
		if own[name], bad = f.text(name, t, person.Properties); bad != nil {
			return nil, bad
		}
	}
	return own, nil
}

// text fills one property in.
func (f *filler) text(property string, t word.Text, own map[string]string) (string, *BadRow) {
	value := func(name string) string {
		if value := own[name]; value != "" {
			return value
		}
		return f.variables[name]
	}
	if t.Len(value) > maxPropertyBytes {
		return "", &BadRow{Column: property, Reason: fmt.Sprintf("is longer than %d bytes when it is filled in", maxPropertyBytes)}
	}
	text, missing := t.Fill(value)
	if missing != "" {
		return "", &BadRow{Column: missing, Reason: fmt.Sprintf("is missing, and property %q needs it; give it, or a default as in #{%s|…}", property, missing)}
	}
	return text, nil
}

// hasMark reports whether words stand in one of a person's properties, or in its name.
func hasMark(properties map[string]string) bool {
	for name, text := range properties {
		if strings.Contains(text, word.Mark) || strings.Contains(name, word.Mark) {
			return true
		}
	}
	return false
}

// Over returns rows with their people filled in; one who cannot be is a bad row. It is Invalid, with the
// field, when a property cannot be read.
func (p Personal) Over(rows Rows) (Rows, error) {
	f, err := p.filler()
	return filledRows{rows, f}, err
}

type filledRows struct {
	Rows
	*filler
}

// Next implements [Rows].
func (r filledRows) Next() (Recipient, error) {
	person, err := r.Rows.Next()
	if err != nil {
		return person, err
	}
	person, bad := r.fill(person)
	if bad != nil {
		bad.Line = r.Line()
		return person, bad
	}
	return person, nil
}

// chunk fills in the people of a packed chunk; who cannot be is left out and counted.
func (f *filler) chunk(c Packed) (filled Packed, left int, err error) {
	if len(f.names) == 0 && !strings.Contains(c.Recipients, word.Mark) {
		return c, 0, nil
	}
	var people []Recipient
	if err := json.Unmarshal([]byte(c.Recipients), &people); err != nil {
		return c, 0, err
	}
	kept := people[:0]
	for _, person := range people {
		if person, bad := f.fill(person); bad == nil {
			kept = append(kept, person)
		}
	}
	c.People, c.Recipients = len(kept), string(appendPeople(nil, kept))
	return c, len(people) - len(kept), nil
}

// fillAll checks people who are in memory and fills them in. It is Invalid, with the field, for the first one
// who breaks a rule.
func (p Personal) fillAll(people []Recipient) ([]Recipient, error) {
	f, err := p.filler()
	if err != nil {
		return nil, err
	}
	filled := make([]Recipient, len(people))
	for i, person := range people {
		if filled[i], err = f.inList(person, i); err != nil {
			return nil, err
		}
	}
	return filled, nil
}

// inList checks and fills in a person who has a place in a list.
func (f *filler) inList(person Recipient, place int) (Recipient, error) {
	at := fmt.Sprintf("recipients[%d].", place)
	if err := person.Check(); err != nil {
		return person, fault.Field(at+err.Field, "%s", err.Message)
	}
	own := person
	own.Properties = maps.Clone(person.Properties)
	filled, bad := f.fill(own)
	if bad == nil {
		return filled, nil
	}
	if bad.Column != "type" && bad.Column != "properties" {
		bad.Column = "properties." + bad.Column
	}
	return person, fault.Field(at+bad.Column, "%s", bad.Reason)
}
