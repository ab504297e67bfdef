package bot

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/scenario"
)

// Difference is what makes one version another.
type Difference struct {
	Blocks    Changes `json:"blocks"`
	Knowledge Changes `json:"knowledge"`
	Servers   Changes `json:"servers"`
}

// Changes are what was done to a list. Entries are told by what names them: a block by its id, an
// item by its question, a server by its name.
type Changes struct {
	Added     []Changed `json:"added,omitempty"`
	Removed   []Changed `json:"removed,omitempty"`
	Changed   []Changed `json:"changed,omitempty"`
	Reordered bool      `json:"reordered,omitempty" doc:"Those in both stand in another order"`
}

// None reports whether nothing was done.
func (c Changes) None() bool {
	return len(c.Added)+len(c.Removed)+len(c.Changed) == 0 && !c.Reordered
}

// Changed is one entry of a list.
type Changed struct {
	ID     string   `json:"id"`
	Name   string   `json:"name,omitempty" doc:"Where it has another than its id; the one that it has now"`
	Fields []string `json:"fields,omitempty" doc:"What of it changed"`
}

// Compare tells what was done to one content to make it another.
func Compare(before, after scenario.Content) Difference {
	return Difference{
		Blocks: compare(before.Blocks, after.Blocks, func(b scenario.Block) Changed { return Changed{ID: b.ID, Name: b.Name} }),
		Knowledge: compare(before.Knowledge, after.Knowledge, func(i knowledge.Item) Changed {
			return Changed{ID: i.Question}
		}),
		Servers: compare(before.Servers, after.Servers, func(s scenario.Server) Changed { return Changed{ID: s.Name} }),
	}
}

func compare[T any](before, after []T, named func(T) Changed) (c Changes) {
	old := map[string]T{}
	var stayed, stay []string // ids of those in both, in either order
	for _, one := range before {
		old[named(one).ID] = one
	}
	is := map[string]bool{}
	for _, one := range after {
		entry := named(one)
		is[entry.ID] = true
		was, both := old[entry.ID]
		if !both {
			c.Added = append(c.Added, entry)
			continue
		}
		stay = append(stay, entry.ID)
		if entry.Fields = fields(was, one); len(entry.Fields) > 0 {
			c.Changed = append(c.Changed, entry)
		}
	}
	for _, one := range before {
		if entry := named(one); is[entry.ID] {
			stayed = append(stayed, entry.ID)
		} else {
			c.Removed = append(c.Removed, entry)
		}
	}
	c.Reordered = !slices.Equal(stayed, stay)
	return c
}

// fields names the JSON fields in which two values differ.
func fields(a, b any) (differ []string) {
	one, other := fieldsOf(a), fieldsOf(b)
	names := map[string]bool{}
	for name := range one {
		names[name] = true
	}
	for name := range other {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !bytes.Equal(one[name], other[name]) {
			differ = append(differ, name)
		}
	}
	return differ
}

func fieldsOf(v any) map[string]json.RawMessage {
	fields := map[string]json.RawMessage{}
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil { // what a version holds was read from JSON
		return nil
	}
	return fields
}
