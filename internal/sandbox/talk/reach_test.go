package talk

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/sandbox/trouble"
)

// A million people have to fit beside everything else in the demo's one process.
func TestAccept_aMillionPeopleStaySmall(t *testing.T) {
	const people, limit = 1_000_000, 200 << 20
	k := New(Options{Clock: &clock.Clock{}, Faults: trouble.NewBook(Faults)})
	t.Cleanup(k.Close)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for chunk := range people / maxPeople {
		var r sendRequest
		r.Event.Name = "hello"
		for i := range maxPeople {
			r.User = append(r.User, person{Type: "botUserKey", ID: fmt.Sprintf("7c1e5d90aa43be%08d", chunk*maxPeople+i)})
		}
		k.accept("b1", r)
	}
	if used := heap() - before; used > limit {
		t.Errorf("%d people take %d MiB, want at most %d", people, used>>20, limit>>20)
	} else {
		t.Logf("%d people take %d MiB", people, used>>20)
	}
	truth := k.Truth()
	if truth.People.Reached != people || truth.People.Again != 0 || truth.Messages != people || truth.Tasks["settled"] != people/maxPeople {
		t.Errorf("Truth() = %+v, want everybody reached once", truth)
	}
}

func TestPeople_encode(t *testing.T) {
	people := []person{{Type: "botUserKey", ID: "a"}, {Type: "plusfriendUserKey", ID: "b"}, {Type: "appUserId", ID: "c"}}
	task := task{people: encodePeople(people), count: len(people)}
	for i, got := range task.persons() {
		if got.Type != people[i].Type || got.ID != people[i].ID {
			t.Errorf("persons()[%d] = %v, want %v", i, got, people[i])
		}
	}
}
