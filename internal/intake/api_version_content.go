package intake

import (
	"context"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/malgil/malgil/internal/botfile"
)

const versionContentRoute = "GET /api/v1/bots/{id}/versions/{version}/content"

func (s *Server) addVersionContent(group string, errors []int) {
	add(s, operation{route: versionContentRoute, id: "get-version-content", group: group, summary: "All that a version of a bot can say, as a folder in a zip archive, which can be imported", errors: errors}, s.getVersionContent)
	_, path, _ := strings.Cut(versionContentRoute, " ")
	s.api.OpenAPI().Paths[path].Get.Responses["200"].Content = map[string]*huma.MediaType{
		botfile.MediaType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}
}

func (s *Server) getVersionContent(ctx context.Context, in *ByVersion) (*file, error) {
	b, err := s.services.Read.BotDetails(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	content, err := s.services.Read.BotContent(ctx, in.ID, in.Version)
	if err != nil {
		return nil, err
	}
	answer, err := s.spooled(ctx, func(to io.Writer) error {
		_, err := to.Write(botfile.Zip(botfile.Write(content, botfile.Header{ID: b.ID, Name: b.Name})))
		return err
	})
	if err != nil {
		return nil, err
	}
	answer.Type = botfile.MediaType
	answer.Disposition = mime.FormatMediaType("attachment", map[string]string{"filename": fmt.Sprintf("malgil-%s-%d.zip", b.ID, in.Version)})
	return answer, nil
}
