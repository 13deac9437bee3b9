package masking

// Word lists of fake, each of 64 words so that six bits pick one. Their order
// is part of the output: append never, replace never.
var (
	firstNames = [64]string{
		"Ada", "Alma", "Amir", "Anna", "Arno", "Aya", "Bela", "Bruno", "Carla", "Cem", "Clara", "Dario", "Dina", "Edda", "Elias", "Emma",
		"Erik", "Eva", "Felix", "Fiona", "Flora", "Gina", "Greta", "Hana", "Hugo", "Ida", "Igor", "Ines", "Iris", "Ivan", "Jana", "Jonas",
		"Julia", "Kai", "Karim", "Lara", "Lea", "Leon", "Lina", "Luca", "Maja", "Marco", "Mia", "Milan", "Mona", "Nadia", "Nina", "Noah",
		"Nora", "Olga", "Oscar", "Paula", "Petra", "Rafael", "Rosa", "Sami", "Sara", "Selma", "Simon", "Tara", "Theo", "Vera", "Yara", "Zoe",
	}
	lastNames = [64]string{
		"Adler", "Almeida", "Andersen", "Arslan", "Bauer", "Becker", "Bianchi", "Brandt", "Brown", "Carter", "Castro", "Costa", "Cruz",
		"Dahl", "Dubois", "Duran", "Eriksen", "Evans", "Falk", "Ferrari", "Fischer", "Fontaine", "Garcia", "Greco", "Haas", "Hansen",
		"Herrera", "Horvat", "Ivanov", "Jansen", "Jensen", "Kaya", "Keller", "Kovacs", "Kruger", "Lang", "Larsen", "Lopez", "Lund",
		"Marino", "Martin", "Meyer", "Moreau", "Moreno", "Mueller", "Nagy", "Novak", "Olsen", "Ortiz", "Patel", "Pereira", "Petrov",
		"Reyes", "Ricci", "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Sousa", "Torres", "Vega", "Weber", "Young",
	}
	streets = [64]string{
		"Acorn", "Alder", "Amber", "Apple", "Ash", "Aspen", "Barley", "Bay", "Beech", "Birch", "Bridge", "Brook", "Cedar", "Chapel",
		"Cherry", "Church", "Clover", "Copper", "Cottage", "Creek", "Cypress", "Dale", "Elm", "Fern", "Field", "Fountain", "Garden",
		"Glen", "Grove", "Harbor", "Hazel", "Heather", "Hill", "Holly", "Ivy", "Juniper", "Lake", "Laurel", "Lilac", "Linden", "Lotus",
		"Maple", "Market", "Meadow", "Mill", "Moss", "Oak", "Olive", "Orchard", "Park", "Pearl", "Pine", "Poplar", "Quarry", "River",
		"Rose", "Sage", "School", "Spring", "Station", "Summer", "Valley", "Willow", "Winter",
	}
	cities = [64]string{
		"Ashford", "Aldbrook", "Barrowby", "Bellmere", "Birchwick", "Brackley", "Brayford", "Bridgeton", "Caldmoor", "Carrick", "Cliffden",
		"Coldbury", "Cranford", "Dalebridge", "Deepwell", "Dunmore", "Eastholm", "Edgewater", "Elmstead", "Fairhaven", "Farnley",
		"Foxbridge", "Glenmoor", "Goldcrest", "Greenhurst", "Hallow", "Harwick", "Hazelton", "Highmoor", "Hollins", "Ironbridge",
		"Kestrel", "Kingsmere", "Lakeside", "Larkfield", "Linwood", "Lowbrook", "Marston", "Meadowby", "Millbrook", "Moorgate",
		"Netherby", "Northwold", "Oakham", "Oldbury", "Pinecrest", "Ravenhill", "Redcliff", "Riverton", "Rosewick", "Saltmere",
		"Sandford", "Silverdale", "Southwell", "Stonebridge", "Summerby", "Thornbury", "Underhill", "Wavelow", "Westmarsh", "Whitby",
		"Willowdale", "Windmere", "Woodstock",
	}
	companies = [64]string{
		"Alpine", "Amberline", "Anchor", "Arbor", "Arrow", "Atlas", "Aurora", "Beacon", "Blue Harbor", "Bright", "Canyon", "Cascade",
		"Cedarworks", "Cobalt", "Compass", "Copperfield", "Coral", "Crest", "Delta", "Dune", "Ember", "Evergreen", "Falcon", "Fjord",
		"Foundry", "Garnet", "Glacier", "Granite", "Harvest", "Heron", "Horizon", "Indigo", "Ironwood", "Juniper", "Keystone", "Lantern",
		"Larch", "Lighthouse", "Lumen", "Maple", "Meridian", "Mosaic", "Nimbus", "North Star", "Oakline", "Orchid", "Pebble", "Pinnacle",
		"Prairie", "Quartz", "Redwood", "Ridge", "Sable", "Saffron", "Sequoia", "Slate", "Solstice", "Sparrow", "Summit", "Tidewater",
		"Timber", "Umber", "Vista", "Willow",
	}
	companyForms = [4]string{" Ltd", " Inc", " GmbH", " Group"}
	streetForms  = [4]string{" Street", " Road", " Lane", " Avenue"}
)
