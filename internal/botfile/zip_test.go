package botfile_test

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

func TestPack(t *testing.T) {
	fsys := folder(map[string]string{
		"blocks/a.yaml": "id: a\nname: 가나\nanswer: 안녕하세요\n", "README.md": "notes", ".git/config": "x", "blocks/.b.yaml.swp": "x",
	})
	packed, problems := botfile.Pack(fsys)
	again, _ := botfile.Pack(fsys)
	if len(problems) > 0 || !bytes.Equal(packed, again) {
		t.Fatalf("Pack() = %q, and again the same: %v, want both", lines(problems), bytes.Equal(packed, again))
	}
	unpacked, err := botfile.Unzip(packed)
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(unpacked, "*")
	if below, _ := fs.Glob(unpacked, "*/*"); err != nil || strings.Join(append(names, below...), " ") != "blocks bot.yaml blocks/a.yaml" {
		t.Errorf("Unzip(Pack()) has %q and %q, %v, want the files of the bot alone", names, below, err)
	}
	content, header, problems := botfile.Read(t.Context(), unpacked, scenario.Rules{})
	if len(problems) > 0 || header.ID != "b1" || len(content.Blocks) != 1 {
		t.Errorf("Read(Unzip(Pack())) = %+v, %+v, %q, want the bot", content, header, lines(problems))
	}
	fsys = folder(map[string]string{"bots.yaml": ""})
	if packed, problems := botfile.Pack(fsys); packed != nil || len(problems) != 1 {
		t.Errorf("Pack(a strange file) = %d bytes, %q, want one problem", len(packed), lines(problems))
	}
}

// A link is refused, wherever it leads.
func TestRead_links(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(secret, []byte("id: a\nname: secret\nanswer: 비밀\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "bot.yaml"), []byte("id: b1\nname: 한빛서점\n"), 0o600),
		os.Mkdir(filepath.Join(dir, "blocks"), 0o700),
		os.Symlink(secret, filepath.Join(dir, "blocks", "a.yaml")),
		os.Symlink("../bot.yaml", filepath.Join(dir, "blocks", "b.yaml")),
		os.Symlink(filepath.Dir(secret), filepath.Join(dir, "more")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	content, _, problems := botfile.Read(t.Context(), os.DirFS(dir), scenario.Rules{})
	want := "blocks/a.yaml: is a link; put the file itself there|blocks/b.yaml: is a link; put the file itself there|" +
		"more: is no file of a bot; there are bot.yaml, blocks/*.yaml and one of knowledge.csv and knowledge.xlsx"
	if got := strings.Join(lines(problems), "|"); got != want || len(content.Blocks) > 0 {
		t.Errorf("Read() = %+v, %s, want %s", content, got, want)
	}
}

func TestUnzip_inOneFolder(t *testing.T) {
	fsys, err := botfile.Unzip(archive(t, func(w *zip.Writer) {
		add(t, w, "bookshop/", "")
		add(t, w, "bookshop/bot.yaml", "id: b1\nname: 한빛서점\n")
		add(t, w, "__MACOSX/bookshop/._bot.yaml", "x")
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, header, problems := botfile.Read(t.Context(), fsys, scenario.Rules{}); header.ID != "b1" || len(problems) > 0 {
		t.Errorf("Read(Unzip(bot in a folder)) = %+v, %q, want the bot", header, lines(problems))
	}
}

func TestUnzip_wrong(t *testing.T) {
	tests := map[string]struct {
		archive []byte
		want    string
	}{
		"no archive":     {[]byte("id: b1"), "no zip archive"},
		"nothing":        {nil, "no zip archive"},
		"upwards":        {archive(t, func(w *zip.Writer) { add(t, w, "../bot.yaml", "x") }), "a name that is not taken"},
		"from the root":  {archive(t, func(w *zip.Writer) { add(t, w, "/bot.yaml", "x") }), "a name that is not taken"},
		"of Windows":     {archive(t, func(w *zip.Writer) { add(t, w, `blocks\a.yaml`, "x") }), "a name that is not taken"},
		"control":        {archive(t, func(w *zip.Writer) { add(t, w, "a\x1b.yaml", "x") }), "a name that is not taken"},
		"long":           {archive(t, func(w *zip.Writer) { add(t, w, strings.Repeat("a", 201), "x") }), "a name that is not taken"},
		"twice":          {archive(t, func(w *zip.Writer) { add(t, w, "bot.yaml", "x"); add(t, w, "bot.yaml", "y") }), "twice"},
		"a link":         {archive(t, func(w *zip.Writer) { link(t, w, "bot.yaml", "/etc/passwd") }), "a link"},
		"a password":     {archive(t, func(w *zip.Writer) { raw(t, w, &zip.FileHeader{Name: "bot.yaml", Flags: 1}) }), "a password"},
		"packed oddly":   {archive(t, func(w *zip.Writer) { raw(t, w, &zip.FileHeader{Name: "bot.yaml", Method: 12}) }), "in a way that is not read"},
		"too much":       {archive(t, func(w *zip.Writer) { add(t, w, "bot.yaml", strings.Repeat(" ", 64<<20+1)) }), "more than 64 MiB"},
		"said too much":  {archive(t, func(w *zip.Writer) { raw(t, w, &zip.FileHeader{Name: "bot.yaml", UncompressedSize64: 1 << 62}) }), "more than 64 MiB"},
		"too many files": {archive(t, func(w *zip.Writer) { many(t, w, 3000) }), "3000 files"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := botfile.Unzip(tt.archive)
			if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), tt.want) {
				t.Errorf("Unzip() error = %v, want Invalid about %q", err, tt.want)
			}
		})
	}
}

// An archive that unpacks to more than it says is a file that cannot be read.
func TestUnzip_bomb(t *testing.T) {
	bomb := archive(t, func(w *zip.Writer) { add(t, w, "bot.yaml", strings.Repeat(" ", 50<<20)) })
	size := []byte{0, 0, 0x20, 3} // 50 MiB
	if n := bytes.Count(bomb, size); n < 1 {
		t.Fatalf("the archive says its size %d times", n)
	}
	bomb = bytes.ReplaceAll(bomb, size, []byte{10, 0, 0, 0})
	fsys, err := botfile.Unzip(bomb)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, problems := botfile.Read(t.Context(), fsys, scenario.Rules{}); len(problems) == 0 || problems[0].String() != "bot.yaml: cannot be read" {
		t.Errorf("Read(bomb) = %q, want a file that cannot be read", lines(problems))
	}
}

func archive(t *testing.T, fill func(w *zip.Writer)) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	fill(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func add(t *testing.T, w *zip.Writer, name, text string) {
	t.Helper()
	part, err := w.Create(name)
	if err == nil && text != "" {
		_, err = part.Write([]byte(text))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, w *zip.Writer, name, to string) {
	t.Helper()
	header := &zip.FileHeader{Name: name}
	header.SetMode(fs.ModeSymlink | 0o777)
	part, err := w.CreateHeader(header)
	if err == nil {
		_, err = part.Write([]byte(to))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func raw(t *testing.T, w *zip.Writer, header *zip.FileHeader) {
	t.Helper()
	if _, err := w.CreateRaw(header); err != nil {
		t.Fatal(err)
	}
}

func many(t *testing.T, w *zip.Writer, n int) {
	t.Helper()
	for i := range n {
		add(t, w, strings.Repeat("a", i%100+1)+".md/"+strings.Repeat("b", i/100+1), "")
	}
}
