package disk_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/disk"
)

// What df says is what operators compare with.
func TestFolder_asDfSays(t *testing.T) {
	dir := t.TempDir()
	out, err := exec.Command("df", "-P", "-k", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	columns := strings.Fields(strings.Split(string(out), "\n")[1])
	used, err := strconv.ParseFloat(strings.TrimSuffix(columns[4], "%"), 64)
	if err != nil {
		t.Fatalf("df says %q", out)
	}
	free, err := disk.Folder{Path: dir}.Free()
	if err != nil || free*100 > 100-used+3 || free*100 < 100-used-3 { // others write meanwhile
		t.Errorf("Free() = %v, %v; df says that %v %% are used", free, err, used)
	}
}

func TestFolder_notThereYet(t *testing.T) {
	dir := t.TempDir()
	s, err := disk.Folder{Path: dir + "/not/there/yet"}.Space()
	if err != nil || s.Path != dir || s.All == 0 || s.Free > s.All {
		t.Errorf("Space() = %+v, %v, want that of %s", s, err, dir)
	}
}
