// Package internal_test checks the house itself: which package may import which, what lies in
// the root, and what no file may hold.
package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/malgil/malgil/"

// rulePackages decide about messages and money. They know no queue, no wire and no database, so
// that their tests need none.
var rulePackages = []string{"broadcast", "billing", "scenario", "bot", "notice", "access", "wallet", "reconcile", "invoice", "webhook", "stance", "knowledge", "retention"}

// edgePackages are where calls come in.
var edgePackages = []string{"internal/intake", "internal/scheduler", "internal/console", "workers"}

// outsideForRules are prefixes of what a rule package may not import from outside the module.
var outsideForRules = []string{
	"github.com/hibiken/asynq", "net/http", "database/sql", "github.com/prometheus/", "github.com/redis/",
	"github.com/alicebob/miniredis", "go.opentelemetry.io/", "github.com/jackc/pgx", "modernc.org/sqlite",
}

// insideForRules are what a rule package may import from the module, besides other rule
// packages: the plain types of the leaves.
var insideForRules = []string{"internal/fault", "internal/clock", "internal/id", "internal/kakao", "internal/holiday", "internal/word"}

// leafPackages are the plain types that everything may use; they use nothing but each other.
var leafPackages = []string{"fault", "clock", "id", "kakao", "holiday", "word", "backlog", "trace"}

// adapterPackages speak to the outside in the types that rules declare.
var adapterPackages = []string{"internal/store", "internal/mail", "internal/kakaopay", "internal/provider", "internal/bank", "internal/tax", "internal/courier", "internal/skillserver"}

// violations returns one sentence for each import of a package that breaks the layout. Package
// and imports are import paths; those of the module begin with [module].
func violations(pkg string, imports []string) []string {
	var broken []string
	self, ok := strings.CutPrefix(pkg, module)
	if !ok {
		return []string{pkg + " is not of this module"}
	}
	for _, imported := range imports {
		if why := forbidden(self, imported); why != "" {
			broken = append(broken, self+" imports "+strings.TrimPrefix(imported, module)+": "+why)
		}
	}
	return broken
}

// forbidden says why a package may not import another, or nothing when it may.
func forbidden(self, imported string) string {
	name, inHouse := strings.CutPrefix(imported, module)
	internal, _ := strings.CutPrefix(self, "internal/")
	switch {
	case inHouse && under(name, "cmd"):
		return "cmd is imported by nothing"
	case inHouse && underAny(name, "internal/testserver", "internal/acceptance", "internal/wallet/ledgertest"):
		return "it is for tests only"
	case inHouse && name == "internal/app" && !underAny(self, "cmd", "internal/demo", "internal/load", "internal/acceptance"):
		return "only cmd, the demo, the measurement of load and the acceptance tests start the program"
	case self == "tasks" && imported != "github.com/hibiken/asynq" && (inHouse || strings.Contains(imported, ".")):
		return "tasks imports asynq only"
	case slices.Contains(rulePackages, internal):
		return forbiddenForRule(internal, imported)
	case slices.Contains(leafPackages, internal) && inHouse && !slices.Contains(leafPackages, strings.TrimPrefix(name, "internal/")):
		return "a leaf imports leaves only"
	case under(self, "internal/sandbox") && inHouse && underAny(name, "internal/broadcast", "internal/billing", "internal/wallet", "internal/store"):
		return "the sandbox keeps a truth of its own"
	case slices.Contains(adapterPackages, self) && inHouse && (underAny(name, edgePackages...) || underAny(name, "internal/queue", "internal/sandbox", "internal/metrics")):
		return "it implements what rules declare and knows no edge"
	case under(self, "internal/queue") && inHouse && underAny(name, rulePaths()...):
		return "the queue carries tasks and knows no rule"
	case slices.Contains(edgePackages, self) && inHouse && underAny(name, edgePackages...):
		return "an edge knows no other edge"
	}
	return ""
}

// forbiddenForRule is [forbidden] for a rule package, given by its name without "internal/".
func forbiddenForRule(rule, imported string) string {
	name, inHouse := strings.CutPrefix(imported, module)
	if !inHouse {
		if underAny(imported, outsideForRules...) {
			return "a rule package does no I/O of its own"
		}
		return ""
	}
	other := strings.TrimPrefix(name, "internal/")
	switch {
	case slices.Contains(insideForRules, name):
		return ""
	case slices.Contains(rulePackages, other) && rule == "wallet":
		return "the wallet is below the other rules"
	case slices.Contains(rulePackages, other):
		return ""
	}
	return "rules import rules and plain types only"
}

func rulePaths() []string {
	paths := make([]string, len(rulePackages))
	for i, name := range rulePackages {
		paths[i] = "internal/" + name
	}
	return paths
}

// under reports whether a path is a package or lies below it; a package that ends in a slash
// stands for all that begins so.
func under(path, pkg string) bool {
	return path == pkg || strings.HasPrefix(path, strings.TrimSuffix(pkg, "/")+"/")
}

func underAny(path string, pkgs ...string) bool {
	return slices.ContainsFunc(pkgs, func(pkg string) bool { return under(path, pkg) })
}

func TestViolations(t *testing.T) {
	tests := map[string]struct {
		pkg, imported string
		want          bool
	}{
		"a rule with the queue":              {"internal/broadcast", "github.com/hibiken/asynq", true},
		"a rule with an HTTP client":         {"internal/scenario", "net/http", true},
		"a rule with a part of net/http":     {"internal/bot", "net/http/httptest", true},
		"a rule with a database":             {"internal/wallet", "database/sql", true},
		"a rule with a driver":               {"internal/billing", "github.com/jackc/pgx/v5", true},
		"a rule with metrics":                {"internal/notice", "github.com/prometheus/client_golang/prometheus", true},
		"a rule with Redis":                  {"internal/access", "github.com/redis/go-redis/v9", true},
		"a rule with the store":              {"internal/broadcast", module + "internal/store", true},
		"a rule with an edge":                {"internal/billing", module + "workers", true},
		"a rule with the sandbox":            {"internal/billing", module + "internal/sandbox", true},
		"the wallet with another rule":       {"internal/wallet", module + "internal/billing", true},
		"a rule with the wallet":             {"internal/broadcast", module + "internal/wallet", false},
		"a rule with plain types":            {"internal/broadcast", module + "internal/kakao", false},
		"a rule with error kinds":            {"internal/bot", module + "internal/fault", false},
		"a rule with the standard library":   {"internal/bot", "net/url", false},
		"tasks with asynq":                   {"tasks", "github.com/hibiken/asynq", false},
		"tasks with the standard library":    {"tasks", "encoding/json", false},
		"tasks with a rule":                  {"tasks", module + "internal/broadcast", true},
		"tasks with another library":         {"tasks", "github.com/redis/go-redis/v9", true},
		"the sandbox with the store":         {"internal/sandbox", module + "internal/store", true},
		"the sandbox with broadcasts":        {"internal/sandbox", module + "internal/broadcast", true},
		"a part of the sandbox with wallets": {"internal/sandbox/truth", module + "internal/wallet", true},
		"the sandbox with the wire":          {"internal/sandbox", module + "internal/kakao", false},
		"anything with cmd":                  {"internal/app", module + "cmd/malgil", true},
		"an edge with the program":           {"internal/intake", module + "internal/app", true},
		"cmd with the program":               {"cmd/malgil", module + "internal/app", false},
		"an edge with another edge":          {"workers", module + "internal/intake", true},
		"an edge with a rule":                {"workers", module + "internal/broadcast", false},
		"an edge with tasks":                 {"internal/intake", module + "tasks", false},
		"a leaf with a rule":                 {"internal/kakao", module + "internal/bot", true},
		"a leaf with a leaf":                 {"internal/kakao", module + "internal/fault", false},
		"an adapter with a rule":             {"internal/mail", module + "internal/notice", false},
		"an adapter with the queue":          {"internal/kakaopay", module + "internal/queue", true},
		"the store with a rule":              {"internal/store", module + "internal/wallet", false},
		"the store with an edge":             {"internal/store", module + "internal/console", true},
		"the queue with a rule":              {"internal/queue", module + "internal/billing", true},
		"the program with test servers":      {"internal/app", module + "internal/testserver", true},
		"the store with a test ledger":       {"internal/store", module + "internal/wallet/ledgertest", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := violations(module+tt.pkg, []string{"fmt", tt.imported})
			if (len(got) == 1) != tt.want || len(got) > 1 {
				t.Errorf("violations(%s, [fmt %s]) = %q, want one: %v", tt.pkg, tt.imported, got, tt.want)
			}
		})
	}
}

func TestImports(t *testing.T) {
	for pkg, imports := range readImports(t, "..") {
		for _, broken := range violations(pkg, imports) {
			t.Error(broken)
		}
	}
}

// A planted file with a forbidden import is found by the same walk.
func TestImports_findsAPlantedOne(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "internal", "wallet")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	planted := "package wallet\n\nimport _ \"net/http\"\n"
	if err := os.WriteFile(filepath.Join(dir, "planted.go"), []byte(planted), 0o644); err != nil {
		t.Fatal(err)
	}
	imports := readImports(t, root)[module+"internal/wallet"]
	if got := violations(module+"internal/wallet", imports); len(got) != 1 {
		t.Errorf("violations of a planted net/http = %q, want one", got)
	}
}

// readImports returns what each package below a root imports outside its tests, whatever the
// build tags of its files.
func readImports(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if hidden := strings.HasPrefix(d.Name(), ".") && path != root; hidden || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := module + filepath.ToSlash(rel)
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if !slices.Contains(found[pkg], imported) {
				found[pkg] = append(found[pkg], imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
