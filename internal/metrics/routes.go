package metrics

import (
	"slices"
	"strings"
)

// apiNouns are the things that routes of the API begin with.
var apiNouns = []string{"accounts", "apps", "audiences", "audit", "bots", "broadcasts", "cards", "charges", "checkouts", "dead-tasks", "invoices",
	"me", "prices", "queues", "quote", "reconciliation", "reviews", "schedules", "tokens", "wallets", "webhooks"}

// routeWords are the classes of what is not of the API, by what a route begins with.
var routeWords = map[string]string{
	"skill": "skill", "v1": "kakao", "v2": "kakao", "pay": "pay", "mute": "mute", "healthz": "health", "readyz": "health",
}

// RouteClass returns what a route is about, by the router's pattern without method: for those of the API
// the thing that it begins with, as in "api/wallets". There are few classes; each costs some series. What
// is in none is "other", and so is a request without a route.
func RouteClass(route string) string {
	first, rest, _ := strings.Cut(strings.TrimPrefix(route, "/"), "/")
	if noun, of := strings.CutPrefix(rest, "v1/"); first == "api" && of {
		if noun, _, _ = strings.Cut(noun, "/"); slices.Contains(apiNouns, noun) {
			return "api/" + noun
		}
		return other
	}
	if first == "api" {
		return "docs"
	}
	if class, is := routeWords[first]; is {
		return class
	}
	return other
}

// routeClasses are all classes but other.
func routeClasses() []string {
	classes := []string{"docs"}
	for _, class := range routeWords {
		if !slices.Contains(classes, class) {
			classes = append(classes, class)
		}
	}
	for _, noun := range apiNouns {
		classes = append(classes, "api/"+noun)
	}
	return classes
}
