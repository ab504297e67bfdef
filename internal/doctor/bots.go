package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/store"
)

const (
	// noTask is a task that nobody has made.
	noTask = "malgil-doctor"
	// maxBots is how many keys of bots are tried, botsAtOnce how many at a time: it is to end in ten seconds.
	maxBots, botsAtOnce = 40, 8
)

// keysOfBots asks Kakao for a task that there is not, with the key of each bot: whether it takes the key shows before.
func (i Installation) keysOfBots(ctx context.Context, opened *visit[*store.Store]) Result {
	for _, setting := range []string{"MALGIL_KAKAO_URL", "MALGIL_SEAL_KEYS", "MALGIL_HASH_KEY"} {
		if i.wrong(setting) {
			return seeConfiguration(setting)
		}
	}
	s, err := opened.get(ctx)
	if err != nil {
		return skipped("they cannot be opened, see keys")
	}
	bots, err := s.RestKeys(ctx, maxBots+1)
	if err != nil {
		return problem("See the log of the database.", "they cannot be read: %s", said(err))
	}
	client, err := kakao.NewEventClient(i.Kakao, checkTime)
	if err != nil {
		return skipped("Kakao has no address, see kakao")
	}
	defer client.Close()
	more := ""
	if len(bots) > maxBots {
		bots, more = bots[:maxBots], ", the first by id"
	}
	answers := make([]error, len(bots))
	turn := make(chan struct{}, botsAtOnce)
	var all sync.WaitGroup
	for n, b := range bots {
		if b.RestKey == "" {
			continue
		}
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			_, answers[n] = client.Result(ctx, b.RestKey, noTask)
		})
	}
	all.Wait()
	return judgeKeys(bots, answers, more)
}

// judgeKeys says what the answers to bots mean.
func judgeKeys(bots []store.BotKey, answers []error, more string) Result {
	var closed, refused, unknown, paused []string
	for n, b := range bots {
		switch err := answers[n]; {
		case b.RestKey == "":
			closed = append(closed, b.BotID)
		case fault.CodeOf(err) == kakao.CodeConfig:
			refused = append(refused, b.BotID)
		case err != nil && slices.Contains([]fault.Kind{fault.Throttled, fault.Unavailable, fault.Internal}, fault.KindOf(err)):
			unknown = append(unknown, b.BotID)
		case b.Paused != "":
			paused = append(paused, b.BotID+" ("+b.Paused+")")
		}
	}
	switch {
	case len(bots) == 0:
		return ok("there is no bot whose key could be tried")
	case len(closed)+len(refused) > 0:
		var found []string
		if len(closed) > 0 {
			found = append(found, "MALGIL_SEAL_KEYS does not open those of "+named(closed))
		}
		if len(refused) > 0 {
			found = append(found, "Kakao does not take those of "+named(refused))
		}
		return problem("Set the key of each with malgil bot change ID, MALGIL_BOT_REST_API_KEY in its environment; nothing of theirs is sent without a right one.",
			"%s", strings.Join(found, "; "))
	case len(unknown) > 0:
		return skipped("Kakao did not say whether it takes those of %s, see kakao", named(unknown))
	}
	if len(paused) > 0 {
		return warning("See why (docs/operations.md, MalgilBotPaused), then malgil bot resume ID: nothing of theirs is sent before.",
			"Kakao takes those of %d bots%s, and bots that were paused stay so: %s", len(bots), more, named(paused))
	}
	return ok("Kakao takes those of %d bots%s", len(bots), more)
}

// named lists some bots.
func named(bots []string) string {
	const most = 5
	if len(bots) <= most {
		return strings.Join(bots, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(bots[:most], ", "), len(bots)-most)
}
