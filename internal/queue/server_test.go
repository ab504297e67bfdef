package queue_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/tasks"
)

func TestServer_Persistence(t *testing.T) {
	yes := func(sync string) map[string]string {
		return map[string]string{"appendonly": "yes", "appendfsync": sync}
	}
	tests := map[string]struct {
		server queue.Server
		want   queue.Persistence
	}{
		"nothing is told":       {queue.Server{}, queue.PersistenceUnknown},
		"no file":               {queue.Server{Config: map[string]string{"appendonly": "no"}}, queue.Volatile},
		"no file by INFO":       {queue.Server{Info: map[string]string{"aof_enabled": "0"}}, queue.Volatile},
		"a file by INFO":        {queue.Server{Info: map[string]string{"aof_enabled": "1"}}, queue.SyncUnknown},
		"every second":          {queue.Server{Config: yes("everysec")}, queue.Durable},
		"always":                {queue.Server{Config: yes("always")}, queue.Durable},
		"when the system likes": {queue.Server{Config: yes("no")}, queue.Unsynced},
		"a snapshot failed": {queue.Server{Config: map[string]string{"appendonly": "yes", "appendfsync": "everysec", "save": "3600 1", "stop-writes-on-bgsave-error": "yes"},
			Info: map[string]string{"rdb_last_bgsave_status": "err"}}, queue.Refusing},
		"a snapshot failed, by INFO alone": {queue.Server{Info: map[string]string{"aof_enabled": "1", "rdb_last_bgsave_status": "err"}}, queue.Refusing},
		"a snapshot failed, and none is made any more": {queue.Server{Config: map[string]string{"appendonly": "yes", "appendfsync": "everysec", "save": "", "stop-writes-on-bgsave-error": "yes"},
			Info: map[string]string{"rdb_last_bgsave_status": "err"}}, queue.Durable},
		"a snapshot failed, and writes go on": {queue.Server{Config: map[string]string{"appendonly": "yes", "appendfsync": "everysec", "save": "3600 1", "stop-writes-on-bgsave-error": "no"},
			Info: map[string]string{"rdb_last_bgsave_status": "err"}}, queue.Durable},
		"the file cannot be rewritten": {queue.Server{Config: yes("always"), Info: map[string]string{"aof_last_bgrewrite_status": "err"}}, queue.Failing},
		"the disk is full":             {queue.Server{Config: yes("always"), Info: map[string]string{"aof_last_write_status": "err"}}, queue.Failing},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.server.Persistence(); got != tt.want {
				t.Errorf("Persistence() = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestServer_Memory(t *testing.T) {
	tests := map[string]struct {
		server queue.Server
		want   queue.Memory
		known  bool
	}{
		"nothing is told":   {queue.Server{}, queue.Memory{}, false},
		"a limit":           {queue.Server{Info: map[string]string{"used_memory": "5", "maxmemory": "20", "total_system_memory": "100"}}, queue.Memory{Used: 5, Limit: 20}, true},
		"that of a machine": {queue.Server{Info: map[string]string{"used_memory": "5", "maxmemory": "0", "total_system_memory": "100"}}, queue.Memory{Used: 5, Limit: 100, OfMachine: true}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, known := tt.server.Memory(); got != tt.want || known != tt.known {
				t.Errorf("Memory() = %+v, %v, want %+v, %v", got, known, tt.want, tt.known)
			}
		})
	}
}

// What is set wrong while the program runs is seen, and what is set right again too.
func TestInspector_Settings(t *testing.T) {
	address := parse(t, testserver.Redis(t).URL())
	inspector, raw := newInspector(t, address), rawRedis(t, address)
	for _, step := range []struct {
		name, value string
		want        map[queue.Setting]bool
	}{
		{"maxmemory", "100mb", map[queue.Setting]bool{queue.SettingEviction: false, queue.SettingPersistence: false}},
		{"maxmemory-policy", "allkeys-lru", map[queue.Setting]bool{queue.SettingEviction: true, queue.SettingPersistence: false}},
		{"appendfsync", "no", map[queue.Setting]bool{queue.SettingEviction: true, queue.SettingPersistence: true}},
		{"maxmemory-policy", "noeviction", map[queue.Setting]bool{queue.SettingEviction: false, queue.SettingPersistence: true}},
		{"appendfsync", "everysec", map[queue.Setting]bool{queue.SettingEviction: false, queue.SettingPersistence: false}},
		{"appendonly", "no", map[queue.Setting]bool{queue.SettingEviction: false, queue.SettingPersistence: true}},
	} {
		if err := raw.ConfigSet(t.Context(), step.name, step.value).Err(); err != nil {
			t.Fatal(err)
		}
		got, err := inspector.Settings(t.Context())
		if err != nil || !maps.Equal(got.Wrong, step.want) {
			t.Errorf("Settings() with %s %s: wrong is %v, %v, want %v", step.name, step.value, got.Wrong, err, step.want)
		}
		if got.MemoryUsed <= 0 || got.MemoryUsed > .2 {
			t.Errorf("Settings() has %v of 100 MB used, want a little", got.MemoryUsed)
		}
	}
}

// A provider may forbid both; that is not the same as set right.
func TestInspector_Settings_forbidden(t *testing.T) {
	address := parse(t, testserver.Redis(t).URL())
	raw := rawRedis(t, address)
	for _, rule := range []struct {
		acl  string
		want queue.Settings
	}{
		{"-config", queue.Settings{Wrong: map[queue.Setting]bool{queue.SettingEviction: false}}}, // INFO tells of it
		{"-info", queue.Settings{Wrong: map[queue.Setting]bool{}}},
	} {
		if err := raw.Do(t.Context(), "ACL", "SETUSER", "default", rule.acl).Err(); err != nil {
			t.Fatal(err)
		}
		got, err := newInspector(t, address).Settings(t.Context())
		got.MemoryUsed = 0
		if diff := cmp.Diff(rule.want, got); err != nil || diff != "" {
			t.Errorf("Settings() with %s error = %v (-want +got):\n%s", rule.acl, err, diff)
		}
	}
}

// Redis that does not answer is an error: nothing is known of it.
func TestInspector_Settings_away(t *testing.T) {
	server := testserver.Redis(t)
	inspector := newInspector(t, parse(t, server.URL()))
	server.Stop()
	if got, err := inspector.Settings(t.Context()); err == nil {
		t.Errorf("Settings() = %+v, want an error", got)
	}
}

func TestConnections(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		client := newClient(t, address)
		if got := client.Connections(); got != (queue.Connections{}) {
			t.Errorf("Connections() before any use = %+v, want none", got)
		}
		mustEnqueue(t, client, tasks.NewSendChunk(chunk("a", 1)))
		if got, want := client.Connections(), (queue.Connections{Idle: 1}); got != want {
			t.Errorf("Connections() after a task = %+v, want %+v", got, want)
		}
	})
}
