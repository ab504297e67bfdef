package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/disk"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/holiday"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/kakaopay"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/store"
)

// expect compares a result, of which found is a part.
func expect(t *testing.T, got Result, state State, found string) {
	t.Helper()
	if got.State != state || !strings.Contains(got.Found, found) {
		t.Errorf("result = %s: %q, want %s: %q", got.State, got.Found, state, found)
	}
	if needs := state == Warning || state == Problem; needs != (got.Do != "") {
		t.Errorf("%s, and what to do is %q", got.State, got.Do)
	}
}

func TestVersion(t *testing.T) {
	tests := map[string]struct {
		info  map[string]string
		state State
		found string
	}{
		"7.0":              {map[string]string{"redis_version": "7.0.15", "role": "master"}, OK, "Redis 7.0.15"},
		"6.2":              {map[string]string{"redis_version": "6.2.0"}, OK, "Redis 6.2.0"},
		"6.0":              {map[string]string{"redis_version": "6.0.16"}, Problem, "Redis 6.0.16"},
		"5":                {map[string]string{"redis_version": "5.0.14"}, Problem, "Redis 5.0.14"},
		"10":               {map[string]string{"redis_version": "10.1"}, OK, "Redis 10.1"},
		"Valkey":           {map[string]string{"redis_version": "7.2.4", "valkey_version": "8.1.0"}, OK, "Valkey 8.1.0"},
		"a replica":        {map[string]string{"redis_version": "7.0.15", "role": "slave"}, Problem, "a replica"},
		"a strange one":    {map[string]string{"redis_version": "unstable"}, Warning, "no version to compare"},
		"INFO is not told": {nil, Warning, "version could not be checked"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { expect(t, version(queue.Server{Address: "r", Info: tt.info}), tt.state, tt.found) })
	}
}

// What a server tells counts, from whichever source.
func TestRedisSettings(t *testing.T) {
	tests := map[string]struct {
		look         func(queue.Server) Result
		info, config map[string]string
		state        State
		found        string
	}{
		"AOF by INFO":             {persistence, map[string]string{"aof_enabled": "1"}, nil, Warning, "appendfsync could not be checked"},
		"no AOF by INFO":          {persistence, map[string]string{"aof_enabled": "0"}, nil, Problem, "appendonly is no"},
		"AOF always":              {persistence, nil, map[string]string{"appendonly": "yes", "appendfsync": "always"}, OK, "always"},
		"AOF that fails":          {persistence, map[string]string{"aof_last_write_status": "err"}, map[string]string{"appendonly": "yes", "appendfsync": "everysec"}, Problem, "cannot be written"},
		"a snapshot that failed":  {persistence, map[string]string{"aof_enabled": "1", "rdb_last_bgsave_status": "err"}, nil, Problem, "takes no writes"},
		"policy by INFO":          {eviction, map[string]string{"maxmemory_policy": "noeviction"}, nil, OK, "noeviction"},
		"wrong policy by INFO":    {eviction, map[string]string{"maxmemory_policy": "volatile-ttl"}, nil, Problem, "volatile-ttl"},
		"memory without a limit":  {memory, map[string]string{"used_memory": "1048576"}, nil, OK, "no limit"},
		"memory of the machine":   {memory, map[string]string{"used_memory": "800", "total_system_memory": "1000", "maxmemory": "0"}, nil, Warning, "80 % of the memory"},
		"memory below maxmemory":  {memory, map[string]string{"used_memory": "100", "maxmemory": "1000"}, nil, OK, "10 % of maxmemory"},
		"memory near maxmemory":   {memory, map[string]string{"used_memory": "949", "maxmemory": "1000"}, nil, Warning, "94 %"},
		"memory at maxmemory":     {memory, map[string]string{"used_memory": "960"}, map[string]string{"maxmemory": "1000"}, Problem, "96 %"},
		"memory that is not told": {memory, nil, nil, Warning, "could not be checked"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			expect(t, tt.look(queue.Server{Info: tt.info, Config: tt.config}), tt.state, tt.found)
		})
	}
}

// Of several servers the worst counts, and is named.
func TestWorst(t *testing.T) {
	good, bad := map[string]string{"maxmemory_policy": "noeviction"}, map[string]string{"maxmemory_policy": "allkeys-lru"}
	cluster := &redisServers{servers: []queue.Server{{Address: "a:1", Info: good}, {Address: "b:2", Info: bad}, {Address: "c:3"}}}
	expect(t, cluster.worst(eviction), Problem, "b:2: maxmemory-policy is allkeys-lru")
	cluster.servers = cluster.servers[:1]
	expect(t, cluster.worst(eviction), OK, "maxmemory-policy is noeviction")
	cluster.servers = append(cluster.servers, queue.Server{Address: "d:4", Info: good})
	expect(t, cluster.worst(eviction), OK, "2 masters")
}

func TestSkewed(t *testing.T) {
	tests := map[string]struct {
		apart, give time.Duration
		state       State
		found       string
	}{
		"none":                   {0, time.Millisecond, OK, "Redis is 0s ahead of"},
		"a little behind":        {-900 * time.Millisecond, 0, OK, "Redis is 900ms behind this"},
		"more than a second":     {1500 * time.Millisecond, 10 * time.Millisecond, Warning, "1.5s ahead of"},
		"behind":                 {-1500 * time.Millisecond, 10 * time.Millisecond, Warning, "1.5s behind"},
		"as much as the way":     {1500 * time.Millisecond, time.Second, OK, "1.5s"},
		"half a lease":           {-20 * time.Second, 0, Problem, "20s behind"},
		"half a lease, half way": {16 * time.Second, 2 * time.Second, Warning, "16s ahead"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { expect(t, skewed("Redis", tt.apart, tt.give), tt.state, tt.found) })
	}
}

func TestSkew(t *testing.T) {
	expect(t, skew(t.Context(), "Redis", func(context.Context) (time.Time, error) { return time.Now().Add(time.Hour), nil }), Problem, "ahead of this machine")
	expect(t, skew(t.Context(), "Redis", func(context.Context) (time.Time, error) { return time.Time{}, errors.New("no") }), Problem, "does not tell the time: no")
}

func TestRoom(t *testing.T) {
	const tera = 1 << 40
	expect(t, room(disk.Space{Path: "/", Free: tera / 2, All: tera}), OK, "512.0 GiB free at /, 50 %")
	expect(t, room(disk.Space{Path: "/", Free: tera / 11, All: tera}), Warning, "9 %")
	expect(t, room(disk.Space{Path: "/", Free: tera / 51, All: tera}), Problem, "1 %")
	expect(t, room(disk.Space{Path: "/", Free: 0, All: tera}), Problem, "0 KiB free")
	expect(t, room(disk.Space{Path: "/", Free: 0, All: 0}), OK, "no size")
	expect(t, space(disk.Folder{Path: t.TempDir() + "/not/there/yet"}), space(disk.Folder{Path: t.TempDir()}).State, "free at")
}

func TestHolidays(t *testing.T) {
	for at, want := range map[string]struct {
		state State
		found string
	}{
		"2026-11-24T00:00:00+09:00": {OK, "known for 2025 to 2028"},
		"2028-10-31T23:59:59+09:00": {OK, "known for 2025 to 2028"},
		"2028-11-01T00:00:00+09:00": {Warning, "those of 2029 are missing"},
		"2030-01-01T00:00:00+09:00": {Warning, "those of 2030 are missing"},
	} {
		i := Installation{
			Holidays: func() (holiday.Calendar, error) { return holiday.Default(), nil },
			Now:      func() time.Time { now, _ := time.Parse(time.RFC3339, at); return now },
		}
		t.Run(at, func(t *testing.T) { expect(t, i.holidays(), want.state, want.found) })
	}
}

// What an answer to a look-up means for our key.
func TestLookUp(t *testing.T) {
	pay := func(status int) error { return &kakaopay.Error{Call: "order", Class: kakaopay.Unknown, Status: status} }
	tests := map[string]struct {
		err   error
		state State
		found string
	}{
		"no such order":         {billing.ErrNoOrder, OK, "takes our key"},
		"no such payment":       {&billing.GatewayError{Class: billing.BadRequest, Code: "-721"}, OK, "takes our key"},
		"the key is wrong":      {&billing.GatewayError{Class: billing.BadConfig, Code: "401"}, Problem, "refuses our key"},
		"the quota is used up":  {&billing.GatewayError{Class: billing.QuotaUsedUp, Code: "-429"}, Warning, "too many calls"},
		"too many calls":        {&billing.GatewayError{Class: billing.NotSent, Code: "429"}, Warning, "too many calls"},
		"a page of another":     {&billing.GatewayError{Class: billing.MayHaveMoved, Code: "404"}, Problem, "something else"},
		"another page":          {&billing.GatewayError{Class: billing.MayHaveMoved, Err: pay(404)}, Problem, "something else"},
		"out of order":          {&billing.GatewayError{Class: billing.MayHaveMoved, Code: "503"}, Warning, "tells nothing"},
		"unreadable":            {&billing.GatewayError{Class: billing.MayHaveMoved, Err: errors.New("no JSON")}, Warning, "tells nothing"},
		"away":                  {&billing.GatewayError{Class: billing.NotSent, Err: &kakao.NoAnswer{Err: errors.New("refused")}}, Problem, "not reached"},
		"silent":                {&billing.GatewayError{Class: billing.MayHaveMoved, Err: &kakao.NoAnswer{Sent: true, Err: context.DeadlineExceeded}}, Warning, "no answer in time"},
		"no error of a gateway": {errors.New("no"), Problem, "no"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			expect(t, lookUp{setting: "MALGIL_X", shown: "https://x", key: "MALGIL_Y"}.judge(tt.err), tt.state, tt.found)
		})
	}
}

// A check that hears nothing, not even that its time is over, holds up nobody.
func TestCheck_hangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		began := time.Now()
		got := check{"deaf", func(context.Context) Result { <-release; return ok("late") }}.within(t.Context(), time.Second)
		expect(t, got, Problem, "no answer within 1s")
		if took := time.Since(began); got.Check != "deaf" || took > 2*time.Second {
			t.Errorf("%s took %v", got.Check, took)
		}
		close(release)
		heeds := check{"heeds", func(ctx context.Context) Result { <-ctx.Done(); return problem("Wait.", "%s", said(ctx.Err())) }}
		expect(t, heeds.within(t.Context(), time.Second), Problem, "no answer in time")
	})
}

func TestConfiguration(t *testing.T) {
	got := Installation{Wrong: errors.Join(
		errors.Join(fault.Field("MALGIL_A", "is missing"), fault.Field("MALGIL_B", "is\nwrong")), errors.New("no pool"),
	)}.configuration()
	want := []string{"MALGIL_A is missing", "MALGIL_B is wrong", "no pool"}
	if len(got) != len(want) {
		t.Fatalf("configuration() = %v, want %d problems", got, len(want))
	}
	for n, r := range got {
		expect(t, r, Problem, want[n])
	}
}

func TestSaid(t *testing.T) {
	if got, want := said(errors.New("no:\n\ta: refused\n\ta: refused\n\tb: refused")), "no:; a: refused; b: refused"; got != want {
		t.Errorf("said = %q, want %q", got, want)
	}
}

// Loops are judged by how long each may be silent, and by whether any is heard of.
func TestAlive(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	began := now.Add(-24 * time.Hour)
	beat := func(loop string, ago time.Duration) store.Beat {
		return store.Beat{Loop: loop, At: now.Add(-ago), Since: began, Silent: 5 * time.Minute}
	}
	never := func(loop string, since time.Duration) store.Beat {
		return store.Beat{Loop: loop, Since: now.Add(-since), Silent: 5 * time.Minute}
	}
	tests := map[string]struct {
		beats []store.Beat
		state State
		found string
	}{
		"all go on":           {[]store.Beat{beat("sweep", time.Second), beat("copy", 5*time.Minute)}, OK, "all 2 loops go on, the latest ended at 2026-11-24T02:59:59Z"},
		"one fails":           {[]store.Beat{beat("sweep", time.Second), beat("copy", 6*time.Minute)}, Problem, "too long: copy (2026-11-24T02:54:00Z)"},
		"one never ended":     {[]store.Beat{beat("sweep", time.Second), never("books", time.Hour)}, Problem, "too long: books (never)"},
		"one is new":          {[]store.Beat{beat("sweep", time.Second), never("books", time.Minute)}, OK, "all 2 loops"},
		"it has just started": {[]store.Beat{never("sweep", time.Second)}, OK, "just started"},
		"none runs":           {[]store.Beat{beat("sweep", time.Hour), beat("copy", 2*time.Hour)}, Problem, "none seems to run: the last of its loops ended without an error at 2026-11-24T02:00:00Z"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { expect(t, alive(tt.beats, now), tt.state, tt.found) })
	}
}

// A key is taken unless Kakao says that it is not, or says nothing.
func TestJudgeKeys(t *testing.T) {
	refused := fault.Coded(fault.Refused, kakao.CodeConfig, "Kakao does not accept the bot's REST API key")
	none, away := fault.New(fault.NotFound, "Kakao does not know the task"), fault.New(fault.Unavailable, "Kakao did not answer")
	bots := func(n int) (all []store.BotKey) {
		for i := range n {
			all = append(all, store.BotKey{BotID: fmt.Sprint("bot_", i), RestKey: "planted-rest-key"})
		}
		return all
	}
	tests := map[string]struct {
		answers []error
		state   State
		found   string
	}{
		"no bot":         {nil, OK, "there is no bot"},
		"all are taken":  {[]error{none, none}, OK, "takes those of 2 bots, the first by id"},
		"one is refused": {[]error{none, refused, away}, Problem, "Kakao does not take those of bot_1"},
		"many are":       {[]error{refused, refused, refused, refused, refused, refused, refused}, Problem, "bot_4 and 2 more"},
		"Kakao is away":  {[]error{none, away}, Skipped, "did not say whether it takes those of bot_1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			expect(t, judgeKeys(bots(len(tt.answers)), tt.answers, ", the first by id"), tt.state, tt.found)
		})
	}
	paused := bots(2)
	paused[1].Paused = "config"
	expect(t, judgeKeys(paused, []error{none, refused}, ""), Problem, "Kakao does not take those of bot_1")
	expect(t, judgeKeys(paused, []error{none, none}, ""), Warning, "stay so: bot_1 (config)")
	closed := bots(3)
	closed[0].RestKey = ""
	expect(t, judgeKeys(closed, []error{nil, none, none}, ""), Problem, "MALGIL_SEAL_KEYS does not open those of bot_0")
	got := judgeKeys(closed, []error{nil, none, refused}, "")
	expect(t, got, Problem, "does not open those of bot_0; Kakao does not take those of bot_2")
	if strings.Contains(got.Found, "bot_1") {
		t.Errorf("judgeKeys names a bot whose key is taken: %s", got.Found)
	}
}
