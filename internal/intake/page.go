package intake

import (
	"bytes"
	"encoding/base64"
	"encoding/json"

	"github.com/malgil/malgil/internal/fault"
)

// Paged is the input of a list.
type Paged struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Entries a page"`
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before"`
}

// page is one page of a list.
type page[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next_cursor,omitempty" doc:"Ask for the next page with it; absent on the last page"`
}

// after reads the cursor of a page into the mark of the last entry before it, which stays as it
// is on the first page.
func (p Paged) after(mark any) error {
	if p.Cursor == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(text, mark)
	}
	if err != nil || bytes.Contains(text, []byte(`\u0000`)) {
		return fault.Field("query.cursor", "is not a cursor of this list; use the next_cursor of the page before")
	}
	return nil
}

// pageOf makes a page of entries of which one more than the limit was asked for. mark returns
// what identifies the last entry of a page.
func pageOf[E, T any](p Paged, entries []E, mark func(E) any, show func(E) T) (*body[page[T]], error) {
	result := page[T]{Items: make([]T, 0, min(len(entries), p.Limit))}
	for i, e := range entries {
		if i == p.Limit {
			next, err := cursorOf(mark(entries[i-1]))
			if err != nil {
				return nil, err
			}
			result.Next = next
			break
		}
		result.Items = append(result.Items, show(e))
	}
	return reply(result), nil
}

// cursorOf writes a mark as [Paged.after] reads it.
func cursorOf(mark any) (string, error) {
	text, err := json.Marshal(mark)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}
