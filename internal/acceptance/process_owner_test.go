package acceptance_test

import "testing"

func TestOwner(t *testing.T) {
	t.Run("46_second_worker", secondWorker)
	show(t, ownerRows)
}

// secondWorker adds a worker process to one that has all the requests open that it may, and then
// kills it with requests in flight.
func secondWorker(t *testing.T) {
	const requests = 8
	town := settle(t, 1, "MALGIL_SEND_CONCURRENCY=8", "MALGIL_SWEEP_AGE=2s")
	s := town.openShop(1)
	town.do("PATCH", "/api/v1/bots/"+s.bot, map[string]any{"rate_per_second": 20_000, "in_flight": 64}, nil)
	town.fault("kakao.send", "slow", map[string]any{"count": -1, "seconds": 2})
	storm := storm{town: town, shop: s, b: s.orderMany(6_000), requests: requests}

	storm.reach(2*requests + 1) // more than once as many as at a time
	if peak := town.sends().Peak; peak != requests {
		t.Fatalf("one worker has %d requests open at a time, want %d", peak, requests)
	}
	second := town.start(t, "worker")
	town.until("two workers have twice as many requests open", func() (bool, any) {
		seen := town.sends()
		return seen.Peak == 2*requests, seen
	})
	storm.kill(second)
	town.tell("DELETE", "/sandbox/faults", nil, nil)
	storm.judge(storm.end(), 0)
}
