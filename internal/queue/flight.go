package queue

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/fault"
)

const (
	// flightLease is how long a request counts as in flight at most: longer than the wait for the
	// rate, the claim and the request itself, so that only a dead worker's slot is given free by it.
	flightLease = 35 * time.Second
	// flightPoll is the pause between tries for a slot: a request takes some hundred milliseconds.
	flightPoll = 50 * time.Millisecond
)

// What is made of how requests of a bot end.
const (
	tripAfter   = 3               // requests in a row without an answer stop the bot
	firstStop   = 5 * time.Second // for so long at first; doubled by every try that fails
	longestStop = 5 * time.Minute // and never longer
	throttleFor = time.Second     // what a refusal as too fast stops the bot for at least
	minShare    = 5               // percent of its rate that a bot keeps, however often it was too fast
	regain      = 2               // percent of its rate that a bot gains back a second
	healthLives = 2 * time.Hour   // longer than Kakao may ask to wait
)

// flight is one request of a bot. Its bot's requests are a semaphore whose holders are members of a
// sorted set with the end of their lease as score; beside it stands the bot's health, a hash:
//
//   - until: the bot stands still until then, since it was told to slow down, or got no answer to three
//     requests in a row. After no answers, one request at a time tries whether there are answers again;
//     every one that gets none doubles the pause.
//   - share and share_at: the part of its rate that it may use since it was told to slow down, and when
//     that was. It halves at most once a second and grows back with time.
//
// All times are of the clock of Redis, so that every worker means the same.
type flight struct {
	limiter     *Limiter
	bot, holder string
}

func flightKey(bot string) string { return "malgil:flight:{" + bot + "}" }
func healthKey(bot string) string { return "malgil:health:{" + bot + "}" }

func (f flight) keys() []string { return []string{flightKey(f.bot), healthKey(f.bot)} }

// The answers of takeSlot beside a number: the share of the rate, for how long the oldest request has
// been in flight, and for how long the bot stands still, in milliseconds.
const (
	slotTaken = iota
	slotsFull
	botStands
)

const clockOfRedis = `
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local health = redis.call("HMGET", KEYS[2], "until", "silent", "stops", "share", "share_at")
for i = 1, 5 do health[i] = tonumber(health[i] or 0) end
local stands, silent, stops, share_at = health[1], health[2], health[3], health[5]
`

// shareNow is health's share as time has mended it: ARGV[4] is the percent a second.
const shareNow = `
local share = 100
if share_at > 0 then share = math.min(100, health[4] + math.floor((now - share_at) * ARGV[4] / 1000)) end
`

var takeSlot = redis.NewScript(clockOfRedis + shareNow + `
if stands > now then return {2, stands - now} end
local slots = tonumber(ARGV[2])
if silent >= tonumber(ARGV[5]) then slots = 1 end
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
if redis.call("ZCARD", KEYS[1]) >= slots then
  local oldest = redis.call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")
  return {1, math.max(0, now + tonumber(ARGV[3]) - tonumber(oldest[2]))}
end
redis.call("ZADD", KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
return {0, share}
`)

// begin takes a slot and returns the percent of its rate that the bot may use.
func (f flight) begin(ctx context.Context, inFlight int, giveUp time.Time) (share int, err error) {
	slots := max(inFlight, 1)
	for {
		said, err := answered(ctx, func(ctx context.Context) ([]int64, error) {
			return takeSlot.Run(ctx, f.limiter.redis, f.keys(), f.holder, slots, flightLease.Milliseconds(), regain, tripAfter).Int64Slice()
		})
		if err != nil {
			f.end(ctx, false, nil) // it may have been taken all the same
			return 0, err
		}
		wait := time.Duration(said[1]) * time.Millisecond
		switch said[0] {
		case slotTaken:
			return int(said[1]), nil
		case botStands:
			return 0, &fault.Error{Kind: fault.Throttled, Code: codeKakao, Message: "Kakao asks to wait, or does not answer", RetryAfter: wait}
		}
		if time.Now().Add(flightPoll).After(giveUp) {
			// When requests take as long as the oldest, two more slots are free by then.
			return 0, later(max(flightPoll, 2*wait/time.Duration(slots)))
		}
		if err := pause(ctx, flightPoll); err != nil {
			return 0, err
		}
	}
}

// How requests end, for giveSlot.
const (
	endedAnswered  = "answered"  // whatever the answer was
	endedThrottled = "throttled" // Kakao asks to send more slowly
	endedSilent    = "silent"    // no answer, or none that tells anything
)

var giveSlot = redis.NewScript(clockOfRedis + shareNow + `
redis.call("ZREM", KEYS[1], ARGV[1])
local ended = ARGV[2]
if ended == "answered" and silent == 0 then return end
if ended == "answered" or ended == "throttled" then silent, stops = 0, 0 end
if ended == "throttled" then
  stands = math.max(stands, now + ARGV[3])
  if now - share_at >= 1000 then share, share_at = math.max(tonumber(ARGV[6]), math.floor(share / 2)), now else share = health[4] end
elseif ended == "silent" then
  if stands > now then return end
  silent = silent + 1
  if silent >= tonumber(ARGV[5]) then
    stands, stops = now + math.min(tonumber(ARGV[8]), ARGV[7] * 2 ^ stops), stops + 1
  end
  share = health[4]
else
  share = health[4]
end
redis.call("HSET", KEYS[2], "until", stands, "silent", silent, "stops", stops, "share", share, "share_at", share_at)
redis.call("PEXPIRE", KEYS[2], ARGV[9])
`)

// end gives the slot free and keeps how the request ended, also while the process stops. What cannot be
// given free now ends with its lease.
func (f flight) end(ctx context.Context, made bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisPatience)
	defer cancel()
	if !made {
		_ = f.limiter.redis.ZRem(ctx, flightKey(f.bot), f.holder).Err()
		return
	}
	ended, wait := endedAnswered, time.Duration(0)
	switch fault.KindOf(err) {
	case fault.Throttled:
		ended, wait = endedThrottled, max(throttleFor, fault.RetryAfter(err))
	case fault.Unavailable, fault.InDoubt:
		ended = endedSilent
	}
	_ = giveSlot.Run(ctx, f.limiter.redis, f.keys(), f.holder, ended, wait.Milliseconds(), regain, tripAfter,
		minShare, firstStop.Milliseconds(), longestStop.Milliseconds(), healthLives.Milliseconds()).Err()
}
