package botfile

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/scenario"
)

// docs/bots.md names every field and every column, and its example of a block is one.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/bots.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(text)
	for _, of := range []any{Header{}, block{}, scenario.Ask{}, scenario.Webhook{}, kakao.ContextValue{}} {
		names, _ := fieldsOf(reflect.TypeOf(of), nil)
		for _, name := range names {
			if !strings.Contains(docs, "`"+name+"`") {
				t.Errorf("docs/bots.md does not name %s of %T", name, of)
			}
		}
	}
	names, _ := fieldsOf(reflect.TypeOf(scenario.Server{}), nil)
	for _, name := range names {
		if !strings.Contains(docs, "`servers[]."+name+"`") {
			t.Errorf("docs/bots.md does not name %s of a server", name)
		}
	}
	for _, c := range columns {
		if !strings.Contains(docs, "`"+c.name+"`") && !strings.HasPrefix(c.name, "category") {
			t.Errorf("docs/bots.md does not name the column %s", c.name)
		}
	}
	_, example, _ := strings.Cut(docs, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	fsys := fstest.MapFS{botYAML: {Data: []byte("id: b1\nname: a\n")}, "blocks/a.yaml": {Data: []byte(example)}}
	if content, _, problems := Read(t.Context(), fsys, scenario.Rules{}); len(problems) > 0 || len(content.Blocks) != 1 {
		t.Errorf("the block of docs/bots.md is %+v with problems %v, want a block", content.Blocks, problems)
	}
}
