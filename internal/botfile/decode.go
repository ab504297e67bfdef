package botfile

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/malgil/malgil/internal/kakao"
)

// decode fills a value from YAML by the names that its fields have in JSON, and adds everything that does
// not fit. An answer may be a text alone.
func (f *file) decode(n *node, into reflect.Value, path string) {
	switch target := into.Addr().Interface().(type) {
	case *kakao.Template:
		if text, is := n.value.(string); is {
			target.Outputs = []kakao.Output{{SimpleText: &kakao.SimpleText{Text: text}}}
			return
		}
	case *kakao.Carousel:
		f.carousel(n, target, path)
		return
	case *later:
		target.node = n
		return
	case *any:
		*target = f.value(n, path)
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		f.decode(n, into.Elem(), path)
	case reflect.String:
		if text, is := n.value.(string); is {
			into.SetString(text)
		} else {
			f.want(n, path, "a text")
		}
	case reflect.Bool:
		if value, is := n.value.(bool); is {
			into.SetBool(value)
		} else {
			f.want(n, path, "true or false")
		}
	case reflect.Int, reflect.Int64:
		if value, is := n.value.(int64); is && !into.OverflowInt(value) {
			into.SetInt(value)
		} else {
			f.want(n, path, "a whole number")
		}
	case reflect.Slice:
		items, is := n.value.(list)
		if !is {
			f.want(n, path, "a list, each of whose lines begins with -")
			return
		}
		into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
		for i, item := range items {
			f.decode(item, into.Index(i), path+"["+strconv.Itoa(i)+"]")
		}
	case reflect.Map:
		fields, is := n.value.(mapping)
		if !is {
			f.want(n, path, "names with values")
			return
		}
		into.Set(reflect.MakeMapWithSize(into.Type(), len(fields)))
		for _, field := range fields {
			value := reflect.New(into.Type().Elem()).Elem()
			f.decode(field.value, value, join(path, field.name))
			into.SetMapIndex(reflect.ValueOf(field.name), value)
		}
	case reflect.Struct:
		f.object(n, into, path)
	default:
		panic("botfile: no YAML is read into a " + into.Type().String())
	}
}

// object fills the fields of a struct, and refuses those that it does not have.
func (f *file) object(n *node, into reflect.Value, path string) {
	fields, is := n.value.(mapping)
	if !is {
		f.want(n, path, "names with values")
		return
	}
	names, places := fieldsOf(into.Type(), nil)
	for _, field := range fields {
		name := field.name
		if _, is := into.Addr().Interface().(*kakao.CommerceCard); is && name == "dicountedPrice" {
			name = "discountedPrice" // the spelling of Kakao's field table
		}
		i := slices.Index(names, name)
		if i < 0 {
			f.add(field.place, join(path, field.name), "is no field here; there are %s", strings.Join(names, ", "))
			continue
		}
		f.decode(field.value, into.FieldByIndex(places[i]), join(path, field.name))
	}
}

// fieldsOf returns the names of a struct's fields and where they are.
func fieldsOf(t reflect.Type, below []int) (names []string, places [][]int) {
	for i := range t.NumField() {
		field := t.Field(i)
		at := append(slices.Clone(below), i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			more, where := fieldsOf(field.Type, at)
			names, places = append(names, more...), append(places, where...)
			continue
		}
		names, places = append(names, name), append(places, at)
	}
	return names, places
}

// carousel fills a carousel, whose type says what its items are.
func (f *file) carousel(n *node, into *kakao.Carousel, path string) {
	var bare struct {
		Type   string                `json:"type"`
		Items  []later               `json:"items"`
		Header *kakao.CarouselHeader `json:"header"`
	}
	f.decode(n, reflect.ValueOf(&bare).Elem(), path)
	into.Type, into.Header = bare.Type, bare.Header
	for i, item := range bare.Items {
		card := kakao.NewCard(bare.Type)
		if card == nil {
			return // the check of the answer says so
		}
		f.decode(item.node, reflect.ValueOf(card).Elem(), fmt.Sprintf("%s.items[%d]", path, i))
		into.Items = append(into.Items, card)
	}
}

// later is a value that is decoded when it is known what it is.
type later struct{ *node }

// exact is where float64, which JSON has, begins to leave out whole numbers.
const exact = 1 << 53

// value returns a value as JSON would.
func (f *file) value(n *node, path string) any {
	switch v := n.value.(type) {
	case int64:
		if v >= -exact && v <= exact {
			return float64(v)
		}
		f.add(n.place, path, "is a number of too many digits; write it in quotes")
		return nil
	case odd:
		f.add(n.place, path, "is a number of an unusual form; write it as 12 or 1.5, or in quotes as a text")
		return nil
	case list:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = f.value(item, path+"["+strconv.Itoa(i)+"]")
		}
		return items
	case mapping:
		fields := make(map[string]any, len(v))
		for _, field := range v {
			fields[field.name] = f.value(field.value, join(path, field.name))
		}
		return fields
	case unread:
		return nil
	}
	return n.value
}

// want adds that a value is of the wrong kind, unless it was complained of already.
func (f *file) want(n *node, path, what string) {
	switch n.value.(type) {
	case unread:
	case nil:
		f.add(n.place, path, "has no value; write one, or leave the line out")
	case int64, float64, bool, odd:
		if what == "a text" {
			what += "; put it in quotes: \"" + n.literal + "\""
		}
		f.add(n.place, path, "must be %s", what)
	default:
		f.add(n.place, path, "must be %s", what)
	}
}

// maxKey is how much of a name a path shows, in bytes: a path is made for every value below it.
const maxKey = 100

func join(path, name string) string {
	if len(name) > maxKey {
		name = strings.ToValidUTF8(name[:maxKey], "")
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
