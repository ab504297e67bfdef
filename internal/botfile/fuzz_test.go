package botfile_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/scenario"
)

// Whatever a folder holds, reading it ends, every problem has a message, and a bot without problems is
// written and read again.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"welcome", "order", "picks", "stock", "return"} {
		block, err := fs.ReadFile(botfile.Example(), "blocks/"+name+".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(block, []byte("question,answer\n반품,7일\n"))
	}
	f.Add([]byte("id: a\nname: b\nanswer: |+\n  x\n\n"), []byte("\xff\xfe"))
	f.Add([]byte("{id: a, name: [b], answer: !!str &x {*x: <<}}"), []byte("질문;답변\n\"a\n"))
	f.Add([]byte("? a\n: - - b: 1e400\n--- \n...\n"), []byte("\"question\",\"answer\"\r\n=1,\"\"\"\"\r\n"))
	f.Add([]byte("id: a\nname: b\nanswer: '#{knowledge[0].answer}'\n"), []byte(nil))
	f.Fuzz(func(t *testing.T, block, csv []byte) {
		fsys := fstest.MapFS{
			"bot.yaml": {Data: []byte("id: b1\nname: a\nservers: [{name: shop, url: 'https://a.example'}]\n")}, "blocks/a.yaml": {Data: block},
		}
		if len(csv) > 0 {
			fsys["knowledge.csv"] = &fstest.MapFile{Data: csv}
		}
		content, header, problems := botfile.Read(t.Context(), fsys, scenario.Rules{Partial: true, NoServers: true})
		for _, p := range problems {
			if p.Message == "" || p.File == "" && p.Message != scenario.MoreProblems {
				t.Errorf("problem %+v says nothing", p)
			}
		}
		if len(problems) > 0 {
			return
		}
		written := fstest.MapFS{}
		for name, text := range botfile.Write(content, header) {
			written[name] = &fstest.MapFile{Data: text}
		}
		if _, _, problems := botfile.Read(t.Context(), written, scenario.Rules{Partial: true, NoServers: true}); len(problems) > 0 {
			t.Errorf("Read(Write()) = %q of %s", lines(problems), written["blocks/1-"+content.Blocks[0].ID+".yaml"].Data)
		}
	})
}

func FuzzUnzip(f *testing.F) {
	packed, problems := botfile.Pack(botfile.Example())
	if len(problems) > 0 {
		f.Fatal(lines(problems))
	}
	f.Add(packed)
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		if fsys, err := botfile.Unzip(archive); err == nil {
			botfile.Read(t.Context(), fsys, scenario.Rules{})
		}
	})
}
