package kakao

import "strconv"

// ContextValues reads the contexts that are in force. Kakao does not publish the shape of one: an
// object with name, lifespan, ttl and params is read, a param being a text or an object with a value
// of its own. What has no name is left out, and so is a context whose life is over.
func (r SkillRequest) ContextValues() []ContextValue {
	var all []ContextValue
	for _, raw := range r.Contexts {
		context := asObject(raw)
		value := ContextValue{Name: context.text("name"), LifeSpan: 1}
		value.TTL, _ = strconv.Atoi(context.text("ttl"))
		for _, spelling := range []string{"lifespan", "lifeSpan"} {
			if life, err := strconv.Atoi(context.text(spelling)); err == nil {
				value.LifeSpan = life
			}
		}
		if value.Name == "" || value.LifeSpan <= 0 {
			continue
		}
		if params := context.object("params"); len(params) > 0 {
			value.Params = make(map[string]string, len(params))
			for _, param := range params {
				value.Params[param.name()] = ValueText(param.value)
			}
		}
		all = append(all, value)
	}
	return all
}
