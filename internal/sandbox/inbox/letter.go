package inbox

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"time"
)

// Mail is a letter as it arrived and as it reads.
type Mail struct {
	ID           string              `json:"id"`
	At           time.Time           `json:"at"`
	EnvelopeFrom string              `json:"envelope_from"`
	To           []string            `json:"to"` // receivers of the envelope
	From         string              `json:"from"`
	Subject      string              `json:"subject"` // decoded
	MessageID    string              `json:"message_id"`
	Text         string              `json:"text"`
	HTML         string              `json:"html"`
	Headers      map[string][]string `json:"headers"`
	Attachments  []Attachment        `json:"attachments,omitempty"`
	Problem      string              `json:"problem,omitempty"` // what could not be read
}

// Attachment is a part that is neither the text nor the page of a letter.
type Attachment struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Bytes int    `json:"bytes"`
}

func (m Mail) isTo(address string) bool {
	return address == "" || slices.ContainsFunc(m.To, func(to string) bool { return strings.EqualFold(to, address) })
}

// parse reads a letter; what cannot be read is a problem of the letter and no error.
func parse(letter []byte) Mail {
	message, err := mail.ReadMessage(bytes.NewReader(letter))
	if err != nil {
		return Mail{Problem: "the letter has no readable header: " + err.Error(), Headers: map[string][]string{}}
	}
	m := Mail{
		From: decodeWords(message.Header.Get("From")), Subject: decodeWords(message.Header.Get("Subject")),
		MessageID: message.Header.Get("Message-Id"), Headers: message.Header,
	}
	if err := m.addPart(header(message.Header), message.Body); err != nil {
		m.Problem = err.Error()
	}
	return m
}

func decodeWords(text string) string {
	decoded, err := new(mime.WordDecoder).DecodeHeader(text)
	if err != nil {
		return text
	}
	return decoded
}

type header map[string][]string

func (h header) get(name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// addPart reads a part, and the parts of it.
func (m *Mail) addPart(h header, body io.Reader) error {
	media, params, err := mime.ParseMediaType(h.get("Content-Type"))
	if err != nil {
		media = "text/plain"
	}
	if strings.HasPrefix(media, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if err := m.addPart(header(part.Header), part); err != nil {
				return err
			}
		}
	}
	content, err := io.ReadAll(decodeBody(h.get("Content-Transfer-Encoding"), body))
	if err != nil {
		return err
	}
	disposition, names, _ := mime.ParseMediaType(h.get("Content-Disposition"))
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	switch {
	case disposition != "attachment" && media == "text/plain" && m.Text == "":
		m.Text = text
	case disposition != "attachment" && media == "text/html" && m.HTML == "":
		m.HTML = text
	default:
		m.Attachments = append(m.Attachments, Attachment{Name: decodeWords(names["filename"]), Type: media, Bytes: len(content)})
	}
	return nil
}

func decodeBody(encoding string, body io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body) // it skips line breaks
	}
	return body
}
