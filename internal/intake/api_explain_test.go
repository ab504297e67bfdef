package intake

import "testing"

func TestExplain(t *testing.T) {
	h := newHouse(t)
	_, _, bot := h.seed(0)
	says := func(text string) map[string]any {
		return map[string]any{"outputs": []any{map[string]any{"simpleText": map[string]any{"text": text}}}}
	}
	h.do(call{method: "POST", path: "/api/v1/bots/" + bot + "/versions?deploy=true", body: map[string]any{"blocks": []any{
		map[string]any{"id": "f", "name": "폴백 블록", "kind": "fallback", "answer": says("다시 말씀해 주세요.")},
		map[string]any{"id": "h", "name": "영업시간", "kind": "normal", "answer": says("10시부터입니다.")},
	}}}).want(201)
	path := "/api/v1/bots/" + bot + "/explain"
	for query, want := range map[string]map[string]any{
		"?utterance=영업시간!":                 {"side": "live", "why": "words", "block": "h", "block_name": "영업시간", "score": 100, "question": nil},
		"?utterance=ㅁㄴㅇㄹ":                  {"why": "nothing", "block": "f", "score": 0, "candidates.0": nil},
		"?utterance=영업시간&side=development": {"side": "development", "why": "words"},
	} {
		wantAt(t, "GET explain"+query, h.do(call{method: "GET", path: path + query}).want(200), want)
	}
	h.do(call{method: "GET", path: path}).wantProblem(422, "INVALID", "query.utterance")
	h.do(call{method: "GET", path: path + "?utterance=x&side=both"}).wantProblem(422, "INVALID", "query.side")
	h.do(call{method: "GET", path: "/api/v1/bots/none/explain?utterance=x"}).wantProblem(404, "NOT_FOUND", "")
}
