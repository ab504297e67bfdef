package scenario_test

import (
	"testing"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

// What is explained is what is answered, and the parts that are told are those of the score.
func TestService_Explain(t *testing.T) {
	u := &users{seen: map[string]bool{}}
	s := scenario.NewService(one{desk()}, u, []byte("key"))
	for _, words := range []string{"상담원", "주차장이 있나요?", "반품 기한 며칠이에요", "모임 공간을 예약하고 싶어", "우주선은 어디서 타나요", ""} {
		got, err := s.Explain(t.Context(), "b1", scenario.Live, words)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := scenario.Answer(t.Context(), desk(), utterance(words), scenario.Entry{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		block := ""
		if got.Block != nil {
			block = got.Block.ID
		}
		if got.Why != reply.Why || block != reply.BlockID || got.Item != reply.Item || got.Score != reply.Score || got.Minimum != 70 {
			t.Errorf("Explain(%s) = %+v, want what Answer does: %+v", words, got, reply)
		}
		for i, c := range got.Candidates {
			if len(c.Parts) == 0 || i > 0 && c.Score > got.Candidates[i-1].Score {
				t.Errorf("Explain(%s): candidate %d is %+v, want parts, and the best first", words, i, c)
			}
		}
	}
	if got, err := s.Explain(t.Context(), "b1", scenario.Live, "반품 기한 며칠이에요"); err != nil || len(got.Candidates) == 0 || got.Candidates[0].Question != got.Item {
		t.Errorf("Explain = %+v, %v, want the item first", got, err)
	}
	if len(u.seen) != 0 || u.kept != 0 {
		t.Error("explaining remembered somebody")
	}
	if _, err := s.Explain(t.Context(), "b9", scenario.Live, "x"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("Explain(unknown bot) error = %v, want NotFound", err)
	}
}

func TestService_ExplainAChoice(t *testing.T) {
	bot := returns("반품 기한은 며칠인가요", "반품 배송비는 얼마인가요")
	s := scenario.NewService(one{bot}, &users{}, []byte("key"))
	got, err := s.Explain(t.Context(), "b1", scenario.Live, "반품")
	if err != nil || got.Why != scenario.ByChoice || got.Among != 2 || got.Block != nil || got.Item != "" {
		t.Errorf("Explain(반품) = %+v, %v, want a choice among two", got, err)
	}
}
