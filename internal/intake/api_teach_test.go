package intake

import "testing"

func TestTeach(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	path := "/api/v1/bots/" + botID
	teach := func(body map[string]any) response {
		return h.do(call{method: "POST", path: path + "/knowledge", body: body})
	}
	made := teach(map[string]any{"question": "선물 포장 되나요", "answer": "네, 1,000원에 해 드려요."})
	wantAt(t, "the first item of a bot without a version", made.want(201), map[string]any{"version": 1, "blocks": 0, "items": 1, "newest": true, "live": false})
	if at := made.Header().Get("Location"); at != path+"/versions/1" {
		t.Errorf("Location = %q, want that of version 1", at)
	}
	h.do(call{method: "POST", path: path + "/versions", body: map[string]any{
		"blocks": []any{blockOf("a", "하나", nil)}, "knowledge": []any{map[string]any{"question": "반품", "answer": "7일"}},
	}}).want(201)
	live := map[string]any{"question": "교환", "answer": "14일", "deploy": true}
	teach(live).wantProblem(409, "NEWEST_NOT_LIVE", "")
	h.do(call{method: "POST", path: path + "/versions/2/deploy"}).want(200)
	wantAt(t, "one more, live at once", teach(map[string]any{
		"question": "교환", "answer": "14일", "categories": []any{"주문", "교환"}, "landing_url": "https://hanbit.example/x", "note": "교환 추가", "deploy": true,
	}).want(201), map[string]any{"version": 3, "blocks": 1, "items": 2, "note": "교환 추가", "live": true})
	wantAt(t, "what it changes", h.do(call{method: "GET", path: path + "/versions/3/diff?from=2"}).want(200), map[string]any{
		"knowledge.added.0.id": "교환", "knowledge.added.1": nil, "knowledge.removed": nil, "blocks.changed": nil,
	})
	wantAt(t, "what it leads to", h.do(call{method: "GET", path: path + "/explain?utterance=교환"}).want(200), map[string]any{"why": "knowledge", "question": "교환"})

	wantAt(t, "beside a twin, and not live", teach(map[string]any{"question": "반품하나요", "answer": "네"}).want(201), map[string]any{"version": 4, "live": false, "near.0.question": "반품"})
	live["question"] = "포인트 적립"
	teach(live).wantProblem(409, "NEWEST_NOT_LIVE", "")
	live["on"] = 9
	teach(live).wantProblem(404, "NOT_FOUND", "")
	live["on"] = 3
	wantAt(t, "on the version that is live", teach(live).want(201), map[string]any{"version": 5, "items": 3, "live": true, "near": nil})
	wantAt(t, "in the place of a block's own words", teach(map[string]any{"question": "블록 a", "answer": "네"}).want(201), map[string]any{"version": 6, "near.0.block": "a", "near.0.score": 100})

	teach(map[string]any{"question": " 교환 ", "answer": "7일"}).wantProblem(422, "INVALID", "body.question")
	teach(map[string]any{"question": "", "answer": "7일"}).wantProblem(422, "INVALID", "body.question")
	teach(map[string]any{"question": "포장", "answer": ""}).wantProblem(422, "INVALID", "body.answer")
	teach(map[string]any{"question": "포장", "answer": "네", "landing_url": "ftp://x"}).wantProblem(422, "INVALID", "body.landing_url")
	teach(map[string]any{"question": "포장", "answer": "네", "categories": []any{"1", "2", "3", "4", "5"}}).wantProblem(422, "INVALID", "body.categories")
	h.do(call{method: "POST", path: "/api/v1/bots/none/knowledge", body: map[string]any{"question": "q", "answer": "a"}}).wantProblem(404, "NOT_FOUND", "")
	wantAt(t, "after all those", h.do(call{method: "GET", path: path}).want(200), map[string]any{"version": 6})
}
