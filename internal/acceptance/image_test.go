package acceptance_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/testserver"
)

// buildLine is the command of the Dockerfile that builds the program.
var buildLine = regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .*) -o /out/malgil (\S+)$`)

// TestImage_ofTheDockerfile builds the program as the image has it and runs it as it runs there: the tour of
// the demo among it, on real parts, with every role as a process of its own.
func TestImage_ofTheDockerfile(t *testing.T) {
	image := buildImage(t)
	t.Run("is static", func(t *testing.T) { isStatic(t, filepath.Join(image, "malgil")) })
	t.Run("writes only to the temporary folder", func(t *testing.T) { writesOnlyToTmp(t, image) })
	t.Run("plays the tour", func(t *testing.T) { playTour(t, settleIn(t, image, 2)) })
}

// buildImage makes a folder that is the file system of the image, with the program as the Dockerfile
// builds it. Nothing in it can be written to but /tmp.
func buildImage(t *testing.T) string {
	t.Helper()
	dockerfile, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	line := buildLine.FindStringSubmatch(string(dockerfile))
	if line == nil {
		t.Fatalf("the Dockerfile has no line that matches %s", buildLine)
	}
	command := strings.Replace(line[1], " -trimpath", "", 1) // it changes names of files only, and would compile everything anew
	root := t.TempDir()
	build := exec.CommandContext(t.Context(), "sh", "-c", command+` -o "$0/malgil" `+line[2], root)
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line[0], err, out)
	}
	if err := os.Mkdir(filepath.Join(root, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{"malgil": 0o555, "tmp": os.ModeSticky | 0o777, ".": 0o555} {
		if err := os.Chmod(filepath.Join(root, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(root, 0o755) }) // so that its owner can remove it
	return root
}

func isStatic(t *testing.T, file string) {
	program, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if program.Type != elf.ET_EXEC {
		t.Errorf("the program is of type %v, want an executable at a fixed address", program.Type)
	}
	for _, part := range program.Progs {
		if slices.Contains([]elf.ProgType{elf.PT_INTERP, elf.PT_DYNAMIC}, part.Type) {
			t.Errorf("the program has a part %v: it would need a loader, which an empty image has not", part.Type)
		}
	}
}

func writesOnlyToTmp(t *testing.T, image string) {
	tests := map[string]struct {
		folder string
		exit   int
		says   string
	}{
		"the temporary folder": {"/tmp/mails", 0, ""},
		"the root":             {"/mails", 1, "permission denied"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ended := testserver.RunProgram(t, testserver.Command{Args: []string{"mail", "preview", "--out", tt.folder}, Image: image})
			if ended.Exit != tt.exit || !strings.Contains(ended.Stderr, tt.says) {
				t.Fatalf("malgil mail preview --out %s exits %d and says %q; want %d and %q", tt.folder, ended.Exit, ended.Stderr, tt.exit, tt.says)
			}
			pages, _ := filepath.Glob(filepath.Join(image, tt.folder, "*.html"))
			if wrote := len(pages) > 0; wrote != (tt.exit == 0) {
				t.Errorf("%s has %d pages", tt.folder, len(pages))
			}
		})
	}
}
