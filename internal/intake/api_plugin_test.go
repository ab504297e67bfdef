package intake

import "testing"

func TestPlugins(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	path := "/api/v1/bots/" + botID
	post := func(plugin string) response {
		return h.do(call{method: "POST", path: path + "/plugins", body: map[string]any{"plugin": plugin}})
	}
	h.do(call{method: "PUT", path: path + "/channels/live", body: map[string]any{"name": "한빛서점"}}).want(200)
	p := post("payment").wantProblem(409, "PLUGIN_NOT_READY", "channel.verified")
	if len(p.Errors) != 2 || p.Errors[1].Location != "plugin.reviewed" {
		t.Errorf("errors = %+v, want the channel's and the plugin's", p.Errors)
	}
	post("telepathy").wantProblem(422, "INVALID", "body.plugin")
	h.do(call{method: "PATCH", path: path + "/channels/live", body: map[string]any{"verified": true}}).want(200)
	h.do(call{method: "PATCH", path: path + "/plugins/consult", body: map[string]any{"reviewed": true}}).wantProblem(422, "INVALID", "path.plugin")
	wantAt(t, "PATCH plugin", h.do(call{method: "PATCH", path: path + "/plugins/payment", body: map[string]any{"reviewed": true}}).want(200), map[string]any{
		"plugin": "payment", "state": "off", "reviewed": true, "prerequisites.0.met": true, "prerequisites.1.met": true, "prerequisites.1.do": nil,
	})
	wantAt(t, "POST plugin", post("payment").want(201), map[string]any{"state": "ready", "since": "2026-11-24T03:00:00Z", "cause": nil})
	post("payment").want(200)
	wantAt(t, "GET plugins", h.do(call{method: "GET", path: path + "/plugins"}).want(200), map[string]any{
		"items.0.plugin": "kakao_sync", "items.0.state": "off", "items.0.since": nil, "items.0.reviewed": nil,
		"items.0.prerequisites.1.field": "channel.app", "items.0.prerequisites.1.met": false, "items.0.prerequisites.1.business_days": nil,
		"items.0.prerequisites.5.field": "app.terms_reviewed", "items.0.prerequisites.5.business_days.from": 3, "items.0.prerequisites.5.business_days.to": 5,
		"items.4.plugin": "payment", "items.4.state": "ready", "items.6.plugin": "consult", "items.7": nil,
	})

	block := path + "/certification-blocks/c1"
	put := map[string]any{"name": "매장 찾기", "plugins": []any{"location"}, "approved": true}
	h.do(call{method: "PUT", path: block, body: put}).wantProblem(409, "PLUGINS_OFF", "plugins.location")
	h.do(call{method: "PATCH", path: path + "/plugins/location", body: map[string]any{"reviewed": true}}).want(200)
	post("location").want(201)
	wantAt(t, "PUT certification block", h.do(call{method: "PUT", path: block, body: put}).want(200), map[string]any{"id": "c1", "works": true, "broken": nil})
	h.do(call{method: "DELETE", path: path + "/plugins/location"}).wantProblem(409, "PLUGIN_IN_USE", "")
	h.do(call{method: "PUT", path: path + "/channels/development", body: map[string]any{"name": "한빛서점 개발"}}).want(200)
	away := path + "/channels/development/disconnect"
	h.do(call{method: "POST", path: away}).wantProblem(409, "PLUGINS_IN_USE", "plugins.location")
	wantAt(t, "forced disconnect", h.do(call{method: "POST", path: away, body: map[string]any{"force": true}}).want(200), map[string]any{"state": "disconnected"})
	wantAt(t, "GET certification blocks", h.do(call{method: "GET", path: path + "/certification-blocks"}).want(200), map[string]any{
		"items.0.approved": true, "items.0.works": false, "items.0.broken.0.plugin": "location", "items.0.broken.0.cause": "development_disconnected",
		"items.0.broken.0.since": "2026-11-24T03:00:00Z", "items.1": nil,
	})
	h.do(call{method: "DELETE", path: block}).want(204)
	h.do(call{method: "DELETE", path: block}).wantProblem(404, "NOT_FOUND", "")
	h.do(call{method: "DELETE", path: path + "/plugins/location"}).want(204)
	h.do(call{method: "GET", path: "/api/v1/bots/none/plugins"}).wantProblem(404, "NOT_FOUND", "")
	h.do(call{method: "GET", path: "/api/v1/bots/none/certification-blocks"}).wantProblem(404, "NOT_FOUND", "")
}
