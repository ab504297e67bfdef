package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"
)

// wholeArgs are arguments of commands that do nothing with just what is required; people and
// content are files.
func wholeArgs(people, content string) map[string][][]string {
	return map[string][][]string{
		"account change":        {{"acc_1", "--name=x"}},
		"account admin":         {{"acc_1"}, {"acc_1", "--end"}},
		"bot change":            {{"b1", "--name=x"}},
		"bot channel":           {{"b1", "live", "x", "--connect", "--verified"}, {"b1", "live", "--disconnect"}},
		"bot plugin certify":    {{"b1", "c1", "x", "--plugin=profile"}, {"b1", "c1", "--remove"}},
		"card list":             {{"--account=acc_1"}, {"--wallet=wal_1"}},
		"wallet cards":          {{"wal_1"}, {"wal_1", "crd_1"}, {"wal_1", "crd_1", "--dry-run"}},
		"wallet add-card":       {{"wal_1", "crd_1"}, {"wal_1", "crd_1", "--dry-run"}},
		"card put":              {{"wal_1", "crd_1"}, {"wal_1", "crd_1", "--dry-run"}},
		"bot import":            {{content, "--bot=b1"}, {content, "--bot=b1", "--dry-run"}},
		"bot export":            {{"b1", people + ".folder"}, {"b1", people + ".folder", "2"}},
		"bot diff":              {{"b1"}, {"b1", "2"}},
		"bot deploy":            {{"b1"}, {"b1", "2"}, {"b1", "2", "--dry-run"}},
		"wallet change":         {{"wal_1", "--name=x"}},
		"wallet member":         {{"wal_1", "acc_1"}, {"wal_1", "acc_1", "--remove"}},
		"wallet refund":         {{"wal_1"}, {"wal_1", "--dry-run"}},
		"wallet review":         {{}, {"--checkouts"}, {"chg_1", "--not-charged"}, {"cko_1", "--paid"}},
		"wallet settle-refund":  {{"wal_1", "rfd_1", "--kept"}, {"wal_1", "rfd_1", "--kept", "--dry-run"}},
		"wallet refund-account": {{"wal_1"}, {"wal_1", "--bank=a", "--number=1", "--holder=b"}},
		"wallet reconnect":      {{"wal_1"}, {"wal_1", "--dry-run"}},
		"wallet delete":         {{"wal_1"}, {"wal_1", "--dry-run"}},
		"wallet why":            {{"wal_1", "brd_1"}, {"wal_1", "brd_1-000001"}, {"wal_1", "chg_1"}},
		"wallet statement":      {{"wal_1", "--month=2026-11"}},
		"invoice list":          {{}, {"wal_1"}},
		"invoice download":      {{"wal_1", "inv_1", "--out=" + filepath.Join(filepath.Dir(people), "inv_1.pdf")}},
		"invoice reissue":       {{"wal_1", "inv_1"}, {"wal_1", "inv_1", "--dry-run"}},
		"invoice amend":         {{"wal_1", "inv_1", "--why=x"}, {"wal_1", "inv_1", "--why=x", "--dry-run"}},
		"invoice settle":        {{"wal_1", "inv_1", "--none", "--note=x"}, {"wal_1", "inv_1", "--none", "--note=x", "--dry-run"}},
		"invoice send":          {{"wal_1", "inv_1"}, {"wal_1", "inv_1", "--dry-run"}},
		"broadcast results":     {{"brd_1", "--out=-"}},
		"broadcast test":        {{"brd_1", "u1"}, {"brd_1", "u1", "--dry-run"}},
		"broadcast retry":       {{"brd_1"}, {"brd_1", "--dry-run"}},
		"broadcast decide":      {{"brd_1", "--sent", "--note=x"}, {"brd_1", "--sent", "--note=x", "--dry-run"}, {"brd_1", "--not-sent", "--note=x"}},
		"broadcast send":        {{people, "--bot=b1", "--event=e", "--watch"}, {people, "--bot=b1", "--event=e", "--dry-run"}, {"--audience=aud_1", "--bot=b1", "--event=e", "--dry-run"}},
		"broadcast upload":      {{"brd_1", people}, {"brd_1", "--audience=aud_1"}},
		"schedule create":       {{"--bot=b1", "--event=e", "--audience=aud_1", "--cron=@daily"}, {"--bot=b1", "--event=e", "--audience=aud_1", "--cron=@daily", "--dry-run"}},
		"schedule change":       {{"sch_1", "--cron=@daily"}},
		"schedule next":         {{"sch_1"}, {"--cron=@daily"}},
		"queue pause":           {{"mail", "--until=2026-11-24 18:00", "--reason=x"}},
		"queue resume":          {{"mail", "--reason=x"}},
		"queue dead":            {{}, {"--each"}},
		"queue retry":           {{"dead_1", "--reason=x"}, {"--type=mail:send", "--cause=panic", "--dry-run"}},
		"queue discard":         {{"dead_1", "--reason=x"}, {"--type=mail:send", "--cause=panic", "--dry-run"}},
		"optout import":         {{"b1", people}, {"b1", people, "--dry-run"}},
		"optout export":         {{"b1", "--out=-"}},
		"consent import":        {{"b1", people}},
		"consent export":        {{"b1", "--out=-"}},
		"audience upload":       {{"aud_1", people}, {"aud_1", people, "--dry-run"}},
	}
}

// Every command that talks to a server says what it asks of its caller, and calls nothing else.
func TestPermissions(t *testing.T) {
	mux := http.NewServeMux()
	var mu sync.Mutex
	var called []string
	patterns := map[string]bool{}
	for _, routes := range callsOf {
		for _, route := range routes {
			if !patterns[route] {
				patterns[route] = true
				mux.HandleFunc(route, func(w http.ResponseWriter, _ *http.Request) {
					mu.Lock()
					called = append(called, route)
					mu.Unlock()
					_, _ = w.Write([]byte(`{"items":[],"id":"x_1","state":"finished","finished_at":"2026-11-24T00:00:00Z"}`))
				})
			}
		}
	}
	var strange []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			mu.Lock()
			strange = append(strange, r.Method+" "+r.URL.Path)
			mu.Unlock()
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Setenv("MALGIL_URL", server.URL)
	t.Setenv("MALGIL_TOKEN", "mlg_x")
	t.Setenv("MALGIL_BOT_REST_API_KEY", "k")

	var cli commands
	parser, err := kong.New(&cli, append(unreadable{}.options(), permissions(), words(), kong.Vars{"version": "x"})...)
	if err != nil {
		t.Fatal(err)
	}
	answered := []string{"wallet why", "reconcile", "card order", "broadcast send"} // they go by what they are answered
	known, whole := map[string]bool{}, wholeArgs(file(t, "people.csv", "id\na\n"), file(t, "content.json", "{}"))
	for _, leaf := range parser.Model.Leaves(false) {
		if _, is := leaf.Target.Type().FieldByName("remote"); !is {
			continue
		}
		known[leaf.Path()] = true
		if callsOf[leaf.Path()] == nil || !strings.Contains(leaf.Detail, "Needs the permission ") {
			t.Errorf("malgil %s does not name its permission", leaf.Path())
			continue
		}
		runs, given := whole[leaf.Path()]
		if !given {
			runs = [][]string{required(leaf)}
		}
		called, strange = nil, nil
		for _, args := range runs {
			malgil(t, append(strings.Fields(leaf.Path()), args...)...) // the answers are empty: how it ends does not matter
		}
		if len(called) == 0 || len(strange) > 0 {
			t.Errorf("malgil %s calls %q and %q, want routes that it names", leaf.Path(), called, strange)
		}
		for _, route := range callsOf[leaf.Path()] {
			if !slices.Contains(called, route) && !slices.Contains(answered, leaf.Path()) {
				t.Errorf("malgil %s names %s and does not call it", leaf.Path(), route)
			}
		}
		for _, route := range called {
			if !slices.Contains(callsOf[leaf.Path()], route) {
				t.Errorf("malgil %s calls %s, which it does not name", leaf.Path(), route)
			}
		}
	}
	for command := range callsOf {
		if !known[command] {
			t.Errorf("callsOf has %q, which is no command of the API", command)
		}
	}
}

// required are arguments that fill what a command requires.
func required(leaf *kong.Node) (args []string) {
	value := func(v *kong.Value) string {
		switch {
		case v.Enum != "":
			return v.EnumSlice()[0]
		case v.Target.Kind() == reflect.Int, v.Target.Kind() == reflect.Int64:
			return "1000"
		}
		return "x"
	}
	for _, positional := range leaf.Positional {
		if positional.Required {
			args = append(args, value(positional))
		}
	}
	for _, flag := range leaf.Flags {
		if flag.Required {
			args = append(args, "--"+flag.Name+"="+value(flag.Value))
		}
	}
	return args
}
