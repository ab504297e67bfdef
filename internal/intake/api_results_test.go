package intake

import "testing"

// An export of nobody begins as any other.
func TestResults_ofNobody(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	id := h.do(call{method: "POST", path: "/api/v1/broadcasts", key: "k", body: order(botID, map[string]any{"recipients": people(1)})}).want(202)["id"].(string)
	const head = "type,id,outcome,error_type,message,captured_krw,chunk,posting\r\n"
	for query, want := range map[string]string{"?outcome=failed": head, "?outcome=failed&bom=true": "\uFEFF" + head, "?outcome=failed&bom=true&format=ndjson": ""} {
		if got := h.do(call{method: "GET", path: "/api/v1/broadcasts/" + id + "/results" + query}); got.Code != 200 || got.Body.String() != want {
			t.Errorf("GET results%s = %d %q, want %q", query, got.Code, got.Body, want)
		}
	}
}
