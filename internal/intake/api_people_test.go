package intake

import (
	"testing"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/store"
)

// Everybody is shown as what he is counted as: of two people with one id the one whom Kakao names failed, and where
// more are named than failed, nobody knows who.
func TestPeopleOf(t *testing.T) {
	const result = `{"allRequestCount":3,"successCount":2,"fail":{"count":1,"list":[{"userId":"u1","reqUserType":"appUserId","errorMsg":{"errorType":201,"msg":"no"}}]}}`
	for name, tt := range map[string]struct {
		chunk store.ChunkView
		want  [3]string
	}{
		"one of two with one id":     {store.ChunkView{State: broadcast.Settled, Failed: 1}, [3]string{"delivered", "failed", "delivered"}},
		"corrected: nobody failed":   {store.ChunkView{State: broadcast.Settled}, [3]string{"undetermined", "undetermined", "undetermined"}},
		"one is named, another not":  {store.ChunkView{State: broadcast.Settled, Failed: 1, Unknown: 1}, [3]string{"undetermined", "failed", "undetermined"}},
		"an answer on the way there": {store.ChunkView{State: broadcast.Sent}, [3]string{"waiting", "waiting", "waiting"}},
	} {
		people, err := peopleOf(store.ChunkPeople{Chunk: tt.chunk, Result: []byte(result),
			Recipients: []byte(`[{"type":"botUserKey","id":"u1"},{"type":"appUserId","id":"u1"},{"type":"botUserKey","id":"u2"}]`)})
		if err != nil || len(people) != 3 {
			t.Fatalf("peopleOf(%s) = %+v, %v", name, people, err)
		}
		for i, p := range people {
			if p.Outcome != tt.want[i] {
				t.Errorf("%s: person %d is %s, want %s", name, i, p.Outcome, tt.want[i])
			}
		}
	}
}
