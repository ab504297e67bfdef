package intake

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/stance"
	"github.com/malgil/malgil/internal/statement"
)

// The routes that take and give the lists of a bot as files.
const (
	importRefusalsRoute = "POST /api/v1/bots/{id}/suppressions/import"
	importConsentsRoute = "POST /api/v1/bots/{id}/consents/import"
	exportRefusalsRoute = "GET /api/v1/bots/{id}/suppressions/export"
	exportConsentsRoute = "GET /api/v1/bots/{id}/consents/export"
)

type importView struct {
	New        int           `json:"new" doc:"Stand on the list now and did not before"`
	Changed    int           `json:"changed" doc:"Stood on the list, and say something later or something else"`
	Unchanged  int           `json:"unchanged" doc:"Have said something later, on either list, or just this before"`
	Duplicates int           `json:"duplicates" doc:"Rows about somebody who said something later in another row"`
	BadRows    int           `json:"bad_rows"`
	Problems   []problemLine `json:"problems,omitempty" doc:"The first 100 bad rows"`
	DryRun     bool          `json:"dry_run,omitempty" doc:"Nothing was stored"`
}

// importOf is the route that puts the people of a file on a list.
func (s *Server) importOf(list broadcast.PeopleList, route, id, summary string) upload {
	return upload{route: route, id: id, group: listsGroup, summary: summary, fields: stance.Fields(list), answer: reflect.TypeFor[importView](),
		take: func(ctx context.Context, botID string, rows broadcast.Rows, o broadcast.UploadOptions) (taken, error) {
			r, err := stance.Import(ctx, s.services.Lists, botID, list, rows, o, s.config.Now())
			return taken{importView{New: r.New, Changed: r.Changed, Unchanged: r.Unchanged, Duplicates: r.Duplicates, BadRows: r.BadRows,
				Problems: viewBadRows(r.Problems), DryRun: o.DryRun}, r.Problems}, err
		}}
}

func (s *Server) addListExports() {
	missing := []int{http.StatusNotFound}
	add(s, operation{route: exportRefusalsRoute, id: "export-suppressions", group: listsGroup, summary: "Who refused the messages of a bot, as a file", errors: missing}, s.exportStances(broadcast.Suppressions))
	add(s, operation{route: exportConsentsRoute, id: "export-consents", group: listsGroup, summary: "Who agreed to the advertising of a bot, as a file", errors: missing}, s.exportStances(broadcast.Consents))
	s.answersFile(exportRefusalsRoute)
	s.answersFile(exportConsentsRoute)
}

type exportStancesInput struct {
	ByID
	ExportFormat
}

// stancesAtOnce is how many people of a list are read at a time for an export.
const stancesAtOnce = 1000

// exportStances writes a list in the order of types and ids, as an import takes it.
func (s *Server) exportStances(list broadcast.PeopleList) func(context.Context, *exportStancesInput) (*file, error) {
	header, cells := stanceCells(list)
	return func(ctx context.Context, in *exportStancesInput) (*file, error) {
		answer, err := s.spooled(ctx, func(to io.Writer) error {
			put, end, err := exportWriter(to, in.Format, in.BOM, header, cells)
			if err != nil {
				return err
			}
			for last := (broadcast.Recipient{}); ; {
				found, err := s.services.Lists.Stances(ctx, in.ID, list, last, stancesAtOnce)
				if err != nil {
					return err
				}
				for _, one := range found {
					if err := put(viewStance(one)); err != nil {
						return err
					}
					last = broadcast.Recipient{Type: one.Type, ID: one.ID}
				}
				if len(found) < stancesAtOnce {
					return end()
				}
			}
		})
		if err != nil {
			return nil, err
		}
		return in.named(answer, in.ID+"-"+string(list)), nil
	}
}

// stanceCells are the columns of a list and what stands in them of somebody.
func stanceCells(list broadcast.PeopleList) (header []string, cells func(stanceView) []string) {
	when := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC3339Nano)
	}
	if list == broadcast.Suppressions {
		return []string{"type", "id", "scope", "at", "source"}, func(v stanceView) []string {
			return []string{v.Type, statement.Harmless(v.ID), string(v.Scope), when(v.At), statement.Harmless(v.Source)}
		}
	}
	return []string{"type", "id", "at", "night_at", "source"}, func(v stanceView) []string {
		return []string{v.Type, statement.Harmless(v.ID), when(v.At), when(v.NightAt), statement.Harmless(v.Source)}
	}
}
