package acceptance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/testserver"
)

// TestBotDocs runs the way of a bot from a folder to its users as docs/bots.md tells it, and looks at
// what came of it.
func TestBotDocs(t *testing.T) {
	text, err := os.ReadFile(root + "/docs/bots.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## From a folder to users")
	_, after, _ := strings.Cut(section, "```sh\n")
	commands, _, _ := strings.Cut(after, "```")

	const bot = "66a1f0c2d4b7e83f5a9c1d20"
	h := open(t, plan{})
	h.do("POST", "/api/v1/bots", map[string]any{"id": bot, "name": "한빛서점 도우미", "rest_api_key": "4f1c9a7e5b3d2f60"}, nil)
	work := t.TempDir()
	path := testserver.ProgramFolder(t) + ":" + os.Getenv("PATH")
	said := map[string]string{}
	for _, command := range strings.Split(strings.TrimSpace(commands), "\n") {
		c := shell(t, command, work, "PATH="+path, "MALGIL_URL="+h.url, "MALGIL_TOKEN="+h.token)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		said[strings.Fields(command)[2]] += string(out)
	}
	for command, want := range map[string]string{
		"import": "version 1 of bot " + bot, "explain": `item "반품은 언제까지 할 수 있나요?": it scores `, "deploy": "1", "replay": "0 utterances", "versions": "2", "rollback": "1",
		"teach": "version 2 of bot " + bot,
	} {
		if !strings.Contains(said[command], want) {
			t.Errorf("malgil bot %s says\n%s\nwant %q in it", command, said[command], want)
		}
	}
	if picture, err := os.ReadFile(filepath.Join(work, "replay.svg")); err != nil || !strings.HasPrefix(string(picture), "<svg") {
		t.Errorf("the picture: %v, %.40q", err, picture)
	}
	var b struct {
		Version int `json:"version"`
		Live    int `json:"live_version"`
		Talking struct {
			Minimum int `json:"minimum_accuracy"`
		} `json:"talking"`
	}
	if h.do("GET", "/api/v1/bots/"+bot, nil, &b); b.Version != 2 || b.Live != 1 || b.Talking.Minimum != 75 {
		t.Errorf("the bot runs %+v, want version 2, 1 live after the rollback, and a minimum of 75", b)
	}
}
