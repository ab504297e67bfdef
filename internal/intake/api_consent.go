package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/stance"
)

// PeopleLists keeps who refused and who agreed to the messages of a bot; [store.Store] does.
type PeopleLists interface {
	stance.Lists
	PutStance(ctx context.Context, botID string, list broadcast.PeopleList, said broadcast.Stance) (changed bool, err error)
	RemoveStance(ctx context.Context, botID string, list broadcast.PeopleList, person broadcast.Recipient) error
	StanceOf(ctx context.Context, botID string, person broadcast.Recipient) (refusal, consent *broadcast.Stance, err error)
	Stances(ctx context.Context, botID string, list broadcast.PeopleList, after broadcast.Recipient, limit int) ([]broadcast.Stance, error)
}

type stanceView struct {
	Type    string                 `json:"type"`
	ID      string                 `json:"id"`
	Scope   broadcast.RefusalScope `json:"scope,omitempty" doc:"Of a refusal: ad for advertising, all for everything"`
	At      time.Time              `json:"at" doc:"When he refused, or agreed last"`
	NightAt time.Time              `json:"night_at,omitzero" doc:"When he agreed to messages at night, 21:00 to 08:00; absent for not"`
	Source  string                 `json:"source,omitempty" doc:"Where he said so: a form, an event, a call"`
}

func viewStance(s broadcast.Stance) stanceView { return stanceView(s) }

// listsGroup is the chapter of the lists.
const listsGroup = "Opt-out and consent"

func (s *Server) addPeopleLists() {
	const group, refusals, consents = listsGroup, "/api/v1/bots/{id}/suppressions", "/api/v1/bots/{id}/consents"
	missing := []int{http.StatusNotFound}
	add(s, operation{route: "GET " + refusals, id: "list-suppressions", group: group, summary: "List who refused the messages of a bot", errors: missing}, s.listStances(broadcast.Suppressions))
	add(s, operation{route: "PUT " + refusals, id: "put-suppression", group: group, summary: "Note that somebody refuses the messages of a bot", errors: missing}, s.putSuppression)
	add(s, operation{route: "DELETE " + refusals, id: "delete-suppression", group: group, summary: "Take a refusal back", status: http.StatusNoContent, errors: missing}, s.deleteStance(broadcast.Suppressions))
	add(s, operation{route: "GET " + consents, id: "list-consents", group: group, summary: "List who agreed to the advertising of a bot", errors: missing}, s.listStances(broadcast.Consents))
	add(s, operation{route: "PUT " + consents, id: "put-consent", group: group, summary: "Note that somebody agrees to the advertising of a bot, or confirms it", errors: missing}, s.putConsent)
	add(s, operation{route: "DELETE " + consents, id: "delete-consent", group: group, summary: "Take a consent back", status: http.StatusNoContent, errors: missing}, s.deleteStance(broadcast.Consents))
	add(s, operation{route: "GET /api/v1/bots/{id}/stance", id: "get-stance", group: group, summary: "What somebody said about the messages of a bot", errors: missing}, s.getStance)
	s.addListExports()
}

type listStancesInput struct {
	ByID
	Paged
}

// lastStance is the mark of a page: the last person on it.
type lastStance struct{ Type, ID string }

func (s *Server) listStances(list broadcast.PeopleList) func(context.Context, *listStancesInput) (*body[page[stanceView]], error) {
	return func(ctx context.Context, in *listStancesInput) (*body[page[stanceView]], error) {
		var last lastStance
		if err := in.after(&last); err != nil {
			return nil, err
		}
		found, err := s.services.Lists.Stances(ctx, in.ID, list, broadcast.Recipient{Type: last.Type, ID: last.ID}, in.Limit+1)
		if err != nil {
			return nil, err
		}
		return pageOf(in.Paged, found, func(one broadcast.Stance) any { return lastStance{one.Type, one.ID} }, viewStance)
	}
}

type putSuppressionInput struct {
	ByID
	Body struct {
		Type   string    `json:"type,omitempty" doc:"botUserKey, when left out"`
		ID     string    `json:"id"`
		Scope  string    `json:"scope,omitempty" enum:"ad,all" doc:"What he refuses: advertising, when left out, or everything"`
		At     time.Time `json:"at,omitzero" doc:"When he did; now, when left out"`
		Source string    `json:"source,omitempty" doc:"Where he said so: a form, an event, a call; at most 200 characters"`
	}
}

func (s *Server) putSuppression(ctx context.Context, in *putSuppressionInput) (*body[putStanceView], error) {
	scope := broadcast.RefusalScope(in.Body.Scope)
	if scope == "" {
		scope = broadcast.RefusesAds
	}
	return s.putStance(ctx, in.ByID, broadcast.Suppressions, broadcast.Stance{Type: in.Body.Type, ID: in.Body.ID, Scope: scope, At: in.Body.At, Source: in.Body.Source})
}

type putConsentInput struct {
	ByID
	Body struct {
		Type    string    `json:"type,omitempty" doc:"botUserKey, when left out"`
		ID      string    `json:"id"`
		At      time.Time `json:"at,omitzero" doc:"When he agreed, or confirmed it last; now, when left out"`
		NightAt time.Time `json:"night_at,omitzero" doc:"Likewise for the night, 21:00 to 08:00; left out, he has not agreed to that"`
		Source  string    `json:"source,omitempty" doc:"Where he said so: a form, an event, a call; at most 200 characters"`
	}
}

func (s *Server) putConsent(ctx context.Context, in *putConsentInput) (*body[putStanceView], error) {
	return s.putStance(ctx, in.ByID, broadcast.Consents, broadcast.Stance{Type: in.Body.Type, ID: in.Body.ID, At: in.Body.At, NightAt: in.Body.NightAt, Source: in.Body.Source})
}

type putStanceView struct {
	Changed bool `json:"changed" doc:"False when he has said something later, or just this before"`
}

func (s *Server) putStance(ctx context.Context, in ByID, list broadcast.PeopleList, one broadcast.Stance) (*body[putStanceView], error) {
	now := s.config.Now()
	if one.Type == "" {
		one.Type = defaultUserType
	}
	if one.At.IsZero() {
		one.At = now
	}
	if wrong := list.CheckStance(one, now); wrong != nil {
		return nil, wrong
	}
	changed, err := s.services.Lists.PutStance(ctx, in.ID, list, one)
	if err != nil {
		return nil, err
	}
	return reply(putStanceView{Changed: changed}), nil
}

// defaultUserType is the type of ids that have none.
const defaultUserType = "botUserKey"

type personInput struct {
	ByID
	Type   string `query:"type" default:"botUserKey"`
	Person string `query:"id" required:"true"`
}

func (in personInput) person() (broadcast.Recipient, error) {
	person := broadcast.Recipient{Type: in.Type, ID: in.Person}
	if wrong := person.Check(); wrong != nil {
		return person, fault.Field("query."+wrong.Field, "%s", wrong.Message)
	}
	return person, nil
}

func (s *Server) deleteStance(list broadcast.PeopleList) func(context.Context, *personInput) (*none, error) {
	return func(ctx context.Context, in *personInput) (*none, error) {
		person, err := in.person()
		if err != nil {
			return nil, err
		}
		return &none{}, s.services.Lists.RemoveStance(ctx, in.ByID.ID, list, person)
	}
}

type personStanceView struct {
	Refusal *stanceView `json:"suppression,omitempty" doc:"He refuses; absent for not"`
	Consent *stanceView `json:"consent,omitempty" doc:"He agreed; absent for not"`
	Valid   bool        `json:"consent_valid" doc:"The consent counts now: he gave or confirmed it less than two years ago"`
	AtNight bool        `json:"consent_valid_at_night" doc:"Likewise from 21:00 to 08:00"`
}

func (s *Server) getStance(ctx context.Context, in *personInput) (*body[personStanceView], error) {
	person, err := in.person()
	if err != nil {
		return nil, err
	}
	refusal, consent, err := s.services.Lists.StanceOf(ctx, in.ByID.ID, person)
	if err != nil {
		return nil, err
	}
	var view personStanceView
	if refusal != nil {
		one := viewStance(*refusal)
		view.Refusal = &one
	}
	if consent != nil {
		one, now := viewStance(*consent), s.config.Now()
		view.Consent, view.Valid, view.AtNight = &one, consent.Valid(now), consent.ValidAtNight(now)
	}
	return reply(view), nil
}
